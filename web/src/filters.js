/* The filter of one dimension: a button and a list of check boxes below it. */

import { h, setAttribute, setText } from './dom.js';

const SEARCH_FROM = 9;
let openFilter = null;

export class Filter {
  constructor({ dimension, label, onChange }) {
    Object.assign(this, { dimension, label, onChange });
    this.boxes = new Map();
    this.badge = h('b', { class: 'badge', hidden: true });
    this.button = h('button', {
      type: 'button', class: 'drop', 'aria-expanded': 'false', 'aria-haspopup': 'true',
      onclick: () => (this.panel.hidden ? this.open() : this.close()),
    }, h('bdi', {}, label), this.badge);
    this.search = h('input', {
      type: 'search', placeholder: `Find ${label.toLowerCase()}`, 'aria-label': `Find ${label}`,
      oninput: () => this.narrow(),
    });
    this.list = h('div', { class: 'options' });
    this.none = h('p', { class: 'hint', hidden: true }, 'Nothing found.');
    this.clear = h('button', {
      type: 'button', class: 'quiet', onclick: () => this.onChange(this.dimension, new Set()),
    }, 'Clear');
    this.panel = h('div', { class: 'popover', role: 'group', 'aria-label': `Filter by ${label}`,
      hidden: true }, this.search, this.list, this.none, this.clear);
    this.element = h('div', { class: 'filter', 'data-dimension': dimension,
      onkeydown: (event) => this.key(event),
      onfocusout: (event) => {
        if (event.relatedTarget && !this.element.contains(event.relatedTarget)) this.close();
      } },
      this.button, this.panel);
  }

  open() {
    this.paintOptions();
    openFilter?.close();
    openFilter = this;
    this.panel.hidden = false;
    setAttribute(this.button, 'aria-expanded', 'true');
    const overflow = this.panel.getBoundingClientRect().right - document.documentElement.clientWidth;
    this.panel.style.left = overflow > -8 ? `${-(overflow + 8)}px` : '0';
    (this.search.hidden ? this.list.querySelector('input') : this.search)?.focus();
  }

  close(refocus = false) {
    if (openFilter === this) openFilter = null;
    this.panel.hidden = true;
    setAttribute(this.button, 'aria-expanded', 'false');
    if (refocus) this.button.focus();
  }

  key(event) {
    if (event.key === 'Escape' && !this.panel.hidden) {
      this.close(true);
      event.preventDefault();
      return;
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    if (this.panel.hidden) {
      this.open();
    } else {
      const stops = [...this.panel.querySelectorAll('input')].filter((i) => i.offsetParent);
      const at = stops.indexOf(document.activeElement) + (event.key === 'ArrowDown' ? 1 : -1);
      stops[Math.min(Math.max(at, 0), stops.length - 1)]?.focus();
    }
    event.preventDefault();
  }

  narrow() {
    const text = this.search.value.toLowerCase();
    let found = 0;
    for (const [value, { row }] of this.boxes) {
      row.hidden = !value.toLowerCase().includes(text);
      if (!row.hidden) found++;
    }
    this.none.hidden = found > 0;
  }

  /* values: what the data has; chosen: a set, which may name values the data does not have (yet). */
  update(values, chosen) {
    Object.assign(this, { values, chosen });
    if (!this.panel.hidden) this.paintOptions();
    this.badge.hidden = chosen.size === 0;
    setText(this.badge, chosen.size ? String(chosen.size) : '');
    setAttribute(this.button, 'aria-label',
      chosen.size ? `${this.label}, ${chosen.size} chosen` : this.label);
    this.button.classList.toggle('on', chosen.size > 0);
    this.clear.disabled = chosen.size === 0;
  }

  paintOptions() {
    const { values, chosen } = this;
    const known = new Set(values);
    const wanted = new Set([...values, ...chosen]);
    const all = [...wanted].sort();
    for (const [value, { row }] of this.boxes) {
      if (!wanted.has(value)) {
        row.remove();
        this.boxes.delete(value);
      }
    }
    all.forEach((value, i) => {
      let box = this.boxes.get(value);
      if (!box) {
        const input = h('input', { type: 'checkbox', onchange: () => this.changed() });
        const row = h('label', { class: 'option', title: value }, input,
          h('bdi', { class: 'name' }, value), h('span', { class: 'absent' }));
        box = { input, row };
        this.boxes.set(value, box);
      }
      if (this.list.children[i] !== box.row) this.list.insertBefore(box.row, this.list.children[i] ?? null);
      box.input.checked = chosen.has(value);
      setText(box.row.lastChild, known.has(value) ? '' : 'not in the data');
    });
    this.search.hidden = all.length < SEARCH_FROM;
    if (!this.search.hidden) this.narrow();
  }

  changed() {
    const chosen = [...this.boxes].filter(([, { input }]) => input.checked).map(([value]) => value);
    this.onChange(this.dimension, new Set(chosen));
  }
}

document.addEventListener('pointerdown', (event) => {
  if (openFilter && !openFilter.element.contains(event.target)) openFilter.close();
});
