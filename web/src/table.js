/*
 * A sortable table with CSV download.  Rows are patched in place on every update, so scrolling,
 * focus and selected text survive new data.
 *
 * Columns: { id, label, kind: 'text'|'name'|'number', get(row), text(row), csv(row), title(row),
 * heat(row) }.  get() gives what sorts (BigInt, number, string or null; null sorts last).
 */

import { download, toCsv } from './csv.js';
import { h, setAttribute, setName, setText } from './dom.js';

function compare(a, b) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}

export class DataTable {
  constructor({ id, caption, limit = 20, sort = null, csvName }) {
    this.caption = caption;
    this.limit = limit;
    this.all = false;
    this.sortBy = sort;
    this.csvName = csvName;
    this.columns = [];
    this.rows = [];
    this.headRow = h('tr');
    this.body = h('tbody');
    this.foot = h('tfoot');
    this.captionElement = h('caption', {}, caption);
    this.table = h('table', { id }, this.captionElement, h('thead', {}, this.headRow), this.body,
      this.foot);
    this.scroller = h('div', {
      class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': caption,
    }, this.table);
    this.more = h('button', { type: 'button', class: 'quiet more', onclick: () => this.toggle() });
    this.csv = h('button', {
      type: 'button', class: 'quiet csv', 'aria-label': `Download CSV: ${caption}`,
      onclick: () => this.save(),
    }, 'CSV');
    this.actions = h('div', { class: 'table-actions' }, this.more, this.csv);
    this.element = h('div', { class: 'data-table' },
      h('div', { class: 'table-frame' }, this.scroller), this.actions);
    this.scroller.addEventListener('scroll', () => this.hintMore(), { passive: true });
    new ResizeObserver(() => this.hintMore()).observe(this.scroller);
  }

  /* A fading edge says that columns go on to the right. */
  hintMore() {
    const { scrollLeft, scrollWidth, clientWidth } = this.scroller;
    this.scroller.parentElement.classList.toggle('goes-on', scrollLeft + clientWidth < scrollWidth - 2);
  }

  setCaption(caption) {
    setText(this.captionElement, caption);
    setAttribute(this.scroller, 'aria-label', caption);
    setAttribute(this.csv, 'aria-label', `Download CSV: ${caption}`);
  }

  update(columns, rows, total = null) {
    const signature = columns.map((c) => `${c.id}\n${c.label}`).join('\n\n');
    if (signature !== this.signature) {
      this.signature = signature;
      this.columns = columns;
      this.head();
    }
    this.columns = columns;
    this.rows = rows;
    this.total = total;
    this.paint();
  }

  head() {
    this.headRow.replaceChildren(
      ...this.columns.map((column) =>
        h('th', { scope: 'col', class: column.kind, 'data-id': column.id },
          h('button', { type: 'button', onclick: () => this.sort(column) },
            h('bdi', {}, column.label))),
      ),
    );
  }

  sort(column) {
    const first = column.kind === 'number' ? 'descending' : 'ascending';
    const other = first === 'descending' ? 'ascending' : 'descending';
    const same = this.sortBy?.id === column.id;
    this.sortBy = { id: column.id, order: same && this.sortBy.order === first ? other : first };
    this.paint();
  }

  sorted() {
    const column = this.columns.find((c) => c.id === this.sortBy?.id);
    if (!column) return this.rows;
    const sign = this.sortBy.order === 'descending' ? -1 : 1;
    return this.rows
      .map((row) => [column.get(row), row])
      .sort(([a], [b]) => (a === null || b === null ? compare(a, b) : sign * compare(a, b)))
      .map(([, row]) => row);
  }

  toggle() {
    this.all = !this.all;
    this.paint();
  }

  paint() {
    for (const th of this.headRow.children) {
      const on = th.dataset.id === this.sortBy?.id;
      setAttribute(th, 'aria-sort', on ? this.sortBy.order : null);
    }
    const rows = this.sorted();
    const shown = this.all ? rows : rows.slice(0, this.limit);
    this.fill(this.body, shown);
    this.fill(this.foot, this.total ? [this.total] : []);
    this.more.hidden = rows.length <= this.limit;
    setText(this.more, this.all ? `Show the first ${this.limit}` : `Show all ${rows.length} rows`);
    this.csv.hidden = rows.length === 0;
    this.hintMore();
  }

  fill(section, rows) {
    while (section.rows.length > rows.length) section.deleteRow(-1);
    while (section.rows.length < rows.length) section.insertRow();
    rows.forEach((row, r) => {
      const tr = section.rows[r];
      while (tr.cells.length > this.columns.length) tr.deleteCell(-1);
      this.columns.forEach((column, c) => {
        let cell = tr.cells[c];
        if (!cell) {
          cell = c === 0 ? h('th', { scope: 'row' }) : h('td');
          tr.append(cell);
        }
        if (!cell.classList.contains(column.kind)) {
          cell.className = column.kind;
          cell.replaceChildren();
        }
        const text = column.text(row);
        if (column.kind === 'name') {
          if (!cell.firstElementChild) cell.replaceChildren(h('bdi'));
          setName(cell.firstElementChild, text);
        } else {
          setText(cell, text);
        }
        setAttribute(cell, 'title', column.title?.(row));
        const heat = column.heat?.(row);
        cell.style.setProperty('--heat', heat ? heat.toFixed(3) : '0');
        cell.classList.toggle('heat', Boolean(heat));
        cell.classList.toggle('home', Boolean(column.home?.(row)));
        cell.classList.toggle('zero', text === '0' || text === '–');
      });
    });
  }

  save() {
    const rows = this.sorted().map((row) => this.columns.map((c) => (c.csv ?? c.text)(row)));
    download(`${this.csvName()}.csv`, toCsv(this.columns.map((c) => c.label), rows));
  }
}
