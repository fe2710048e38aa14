/*
 * One chart over time: stacked bars or lines, with brush zoom, a tooltip of exact figures, keyboard
 * operation and a table of the same data below it.
 */

import uPlot from 'uplot';
import { h, name, setAttribute, setText } from './dom.js';
import * as format from './format.js';
import { DataTable } from './table.js';

const HEIGHT = 232;
const TOOLTIP_ROWS = 10;

const css = (property) => getComputedStyle(document.documentElement).getPropertyValue(property).trim();

export const colorOf = (slot) => `var(--c${slot})`;

const paintOf = (slot) => css(`--c${slot}`);

/* Times of an axis: the day where one begins, otherwise the time of day. */
function axisTimes(u, splits, axis, space, increment) {
  return splits.map((t) =>
    increment >= 86400 || t % 86400 === 0 ? format.shortDay(t) : format.shortClock(t),
  );
}

export class TimeChart {
  constructor({ id, title, hint, kind, axis, csvName, onRange, onPick, announce }) {
    Object.assign(this, { id, kind, axis, onRange, onPick, announce });
    this.index = null;
    this.anchor = null;
    this.heading = h('h2', { id: `${id}-title` }, title);
    this.figure = h('span', { class: 'panel-figure' });
    this.legend = h('ul', { class: 'legend' });
    this.canvasBox = h('div', {
      class: 'chart', tabindex: '0', role: 'group', 'aria-roledescription': 'chart',
      'aria-labelledby': `${id}-title`, 'aria-describedby': `${id}-hint`,
      onkeydown: (event) => this.key(event),
      onblur: () => this.point(null),
    });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.empty = h('p', { class: 'chart-empty', hidden: true });
    this.table = new DataTable({
      id: `${id}-table`, caption: title, limit: 60, csvName,
      sort: { id: 'time', order: 'ascending' },
    });
    this.details = h('details', { class: 'chart-table', ontoggle: () => this.paintTable() },
      h('summary', {}, 'Table', h('span', { class: 'sr' }, `: ${title}`)),
      this.table.element);
    this.element = h('section', { class: 'panel chart-panel', 'aria-labelledby': `${id}-title` },
      h('div', { class: 'panel-head' }, this.heading, this.figure),
      hint ? h('p', { class: 'hint' }, hint) : null,
      this.legend,
      h('div', { class: 'chart-wrap' }, this.canvasBox, this.tip, this.empty),
      h('p', { id: `${id}-hint`, class: 'sr' },
        'Left and right arrow keys read the values, Shift with an arrow key selects a time range, ' +
        'Enter zooms to it, Escape leaves. The same data is in the table below.'),
      this.details);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvasBox);
  }

  /*
   * data: { first, step, count, series: [{ name, slot, pick, values: BigInt[]|(number|null)[],
   * total }], exact(value), columns, rows, total, figure, empty }.  Stacks are drawn bottom up.
   */
  update(data) {
    this.data = data;
    setText(this.figure, data.figure ?? '');
    this.paintLegend();
    this.empty.hidden = !data.empty;
    this.canvasBox.hidden = Boolean(data.empty);
    setText(this.empty, data.empty ?? '');
    if (!data.empty) this.paintChart();
    this.paintTable();
    if (this.index !== null && this.index >= data.count) this.point(null);
    else if (this.index !== null) this.paintTip();
  }

  paintLegend() {
    const { series, exact } = this.data;
    const items = [...this.legend.children];
    while (items.length > series.length) items.pop().remove();
    series.forEach((s, i) => {
      let item = items[i];
      if (!item) {
        item = h('li', {}, h('button', { type: 'button' }, h('i'), h('bdi', { class: 'name' }),
          h('span', { class: 'legend-value' })));
        item.firstChild.addEventListener('click', () => this.onPick?.(this.data.series[i]));
        this.legend.append(item);
      }
      const button = item.firstChild;
      const [swatch, label, value] = button.children;
      swatch.style.background = colorOf(s.slot);
      setText(label, s.name);
      setText(value, s.short ?? '');
      setAttribute(button, 'title', `${s.name}: ${s.total === undefined ? '' : exact(s.total)}`);
      button.disabled = !s.pick;
      setAttribute(button, 'aria-pressed', s.pick ? String(Boolean(s.picked)) : null);
    });
    this.legend.hidden = series.length < 2 && !series[0]?.picked;
  }

  columnsForPlot() {
    const { first, step, count, series, toNumber } = this.data;
    const times = Array.from({ length: count }, (_, i) => first + i * step);
    if (this.kind === 'line') {
      return [times, ...series.map((s) => s.values)];
    }
    const stacked = [];
    const base = new Array(count).fill(0n);
    for (const s of series) {
      for (let i = 0; i < count; i++) base[i] += s.values[i];
      stacked.push(base.map(toNumber));
    }
    return [times, ...stacked.reverse()];
  }

  paintChart() {
    const { series, first, step, count } = this.data;
    const signature = JSON.stringify([series.map((s) => s.slot), step]);
    const columns = this.columnsForPlot();
    this.range = [first, first + count * step];
    if (this.plot && signature === this.signature) {
      this.plot.setData(columns);
      return;
    }
    this.signature = signature;
    this.plot?.destroy();
    const bars = uPlot.paths.bars({ align: 1, size: [0.86, 48], radius: 0 });
    const drawn = this.kind === 'line' ? series : [...series].reverse();
    const font = '11px system-ui, sans-serif';
    this.plot = new uPlot(
      {
        width: Math.max(this.canvasBox.clientWidth, 120),
        height: HEIGHT,
        padding: [10, 18, 0, 0],
        tzDate: (t) => uPlot.tzDate(new Date(t * 1000), 'Etc/UTC'),
        legend: { show: false },
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          sync: { key: 'time', setSeries: false, scales: ['x', null] },
        },
        scales: {
          x: { time: true, range: () => this.range },
          y: { range: (u, min, max) => this.yRange(max) },
        },
        axes: [
          {
            stroke: () => css('--ink-3'), font, size: 28, gap: 6, space: 64,
            grid: { show: false }, ticks: { stroke: () => css('--line'), size: 4, width: 1 },
            values: axisTimes,
          },
          {
            stroke: () => css('--ink-3'), font, gap: 6, space: 36,
            size: (u, values) => 16 + 6.4 * Math.max(4, ...(values ?? []).map((v) => v.length)),
            grid: { stroke: () => css('--grid'), width: 1 }, ticks: { show: false },
            values: (u, splits) => splits.map((v) => this.axis(v)),
          },
        ],
        series: [
          {},
          ...drawn.map((s) =>
            this.kind === 'line'
              ? {
                  stroke: () => paintOf(s.slot), width: 1.75,
                  points: { show: (u) => u.data[0].length < 3, size: 6, fill: () => paintOf(s.slot) },
                }
              : {
                  fill: () => paintOf(s.slot), stroke: () => paintOf(s.slot), width: 0,
                  paths: bars, points: { show: false },
                },
          ),
        ],
        hooks: {
          setCursor: [(u) => this.cursor(u)],
          setSelect: [(u) => this.brushed(u)],
        },
      },
      columns,
      this.canvasBox,
    );
    this.plot.over.addEventListener('dblclick', () => this.onRange(null));
    this.plot.over.addEventListener('mouseleave', () => {
      if (document.activeElement !== this.canvasBox) this.point(null);
    });
  }

  yRange(max) {
    if (this.kind === 'line') {
      if (!max || max <= 0) return [0, 0.01];
      return [0, max > 0.75 ? 1 : max * 1.08];
    }
    return [0, max > 0 ? max * 1.04 : 1];
  }

  redraw() {
    this.plot?.redraw(false, true);
  }

  resize(width = this.canvasBox.clientWidth) {
    if (!this.plot || width < 1 || width === this.plot.width) return;
    this.plot.setSize({ width, height: HEIGHT });
  }

  /* The bar under the pointer.  Other charts follow through uPlot's sync, without a tooltip. */
  cursor(u) {
    if (this.moving) return;
    const { left } = u.cursor;
    if (left === null || left === undefined || left < 0) {
      if (document.activeElement !== this.canvasBox) this.point(null);
      return;
    }
    if (!u.over.matches(':hover')) return;
    const { first, step, count } = this.data;
    const index = Math.floor((u.posToVal(left, 'x') - first) / step);
    this.index = index >= 0 && index < count ? index : null;
    this.paintTip();
  }

  point(index) {
    this.index = index;
    if (index === null) this.anchor = null;
    if (this.plot) {
      this.moving = true;
      const { first, step } = this.data;
      const left = index === null ? -10 : this.plot.valToPos(first + (index + 0.5) * step, 'x');
      this.plot.setCursor({ left, top: index === null ? -10 : 8 }, false);
      this.moving = false;
      this.showSelection();
    }
    this.paintTip();
  }

  showSelection() {
    const { first, step } = this.data;
    let left = 0;
    let width = 0;
    if (this.anchor !== null && this.index !== null) {
      const from = Math.min(this.anchor, this.index);
      const to = Math.max(this.anchor, this.index) + 1;
      left = this.plot.valToPos(first + from * step, 'x');
      width = this.plot.valToPos(first + to * step, 'x') - left;
    }
    const height = this.plot.over.clientHeight;
    this.plot.setSelect({ left, top: 0, width, height: width ? height : 0 }, false);
  }

  key(event) {
    if (!this.data || this.data.empty) return;
    const last = this.data.count - 1;
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      const from = this.index ?? (moves[event.key] > 0 ? -1 : last + 1);
      if (event.shiftKey) this.anchor ??= Math.min(Math.max(from, 0), last);
      else this.anchor = null;
      this.point(Math.min(Math.max(from + moves[event.key], 0), last));
      this.announce(this.spoken());
    } else if (event.key === 'Enter' && this.index !== null) {
      this.zoom(Math.min(this.anchor ?? this.index, this.index),
        Math.max(this.anchor ?? this.index, this.index));
    } else if (event.key === 'Escape') {
      if (this.index === null) this.onRange(null);
      this.point(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  brushed(u) {
    if (u.select.width < 4) return;
    const { first, step, count } = this.data;
    const at = (left) =>
      Math.min(Math.max(Math.floor((u.posToVal(left, 'x') - first) / step), 0), count - 1);
    const from = at(u.select.left);
    const to = at(u.select.left + u.select.width - 1);
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoom(from, to);
  }

  zoom(from, to) {
    const { first, step } = this.data;
    this.point(null);
    this.onRange({ since: first + from * step, until: first + (to + 1) * step });
  }

  shownAt(index) {
    const { series, exact, text = exact } = this.data;
    return series
      .map((s) => ({ s, value: s.values[index] }))
      .filter(({ value }) => (this.kind === 'line' ? value !== null : value !== 0n))
      .map(({ s, value }) => ({ s, text: text(value), value }));
  }

  when(index) {
    const { first, step } = this.data;
    return format.span(first + index * step, first + (index + 1) * step);
  }

  spoken() {
    const rows = this.shownAt(this.index);
    const values = rows.map(({ s, text }) => `${s.name} ${text}`).join(', ');
    return `${this.when(this.index)}: ${values || 'nothing'}`;
  }

  paintTip() {
    const { index } = this;
    this.tip.hidden = index === null || !this.data || Boolean(this.data.empty);
    if (this.tip.hidden) return;
    const rows = this.shownAt(index);
    if (this.kind !== 'line') rows.reverse();
    const list = h('dl');
    for (const { s, text } of rows.slice(0, TOOLTIP_ROWS)) {
      list.append(h('dt', {}, h('i', { style: { background: colorOf(s.slot) } }), name(s.name)),
        h('dd', {}, text));
    }
    if (this.kind !== 'line' && rows.length !== 1) {
      const total = rows.reduce((sum, { value }) => sum + value, 0n);
      list.append(h('dt', { class: 'sum' }, 'Total'), h('dd', { class: 'sum' }, this.data.exact(total)));
    } else if (rows.length === 0) {
      list.append(h('dt', {}, 'No data'), h('dd', {}, '–'));
    }
    this.tip.replaceChildren(h('p', {}, this.when(index)), list);
    const { first, step } = this.data;
    const center = this.plot.over.offsetLeft + this.plot.valToPos(first + (index + 0.5) * step, 'x');
    const room = this.canvasBox.clientWidth;
    const width = this.tip.offsetWidth;
    const left = center + 14 + width <= room ? center + 14 : center - 14 - width;
    this.tip.style.left = `${Math.max(0, Math.min(left, room - width))}px`;
  }

  paintTable() {
    if (!this.data || !this.details.open) return;
    const { columns, rows, total } = this.data.table();
    this.table.update(columns, rows, total);
  }
}
