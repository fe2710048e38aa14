/*
 * Questions to a table of the data set: which rows pass the filters, and what do they add up to by
 * group and time.  Every figure the page shows comes out of here.
 */

import { Sums } from './exact.js';
import { ERROR_KINDS, TOKEN_KINDS } from './dataset.js';

const DERIVED = {
  TotalTokenCount: TOKEN_KINDS,
  PromptTokenCount: ['InputTokenCount', 'CacheReadInputTokenCount', 'CacheWriteInputTokenCount'],
  Errors: ERROR_KINDS,
  Records: ['Invocations', ...ERROR_KINDS],
};

/*
 * The part of `table` that passes `filters` (dimension -> set of values) between since and until.
 * The edges are widened to whole buckets of the table; `since`/`until` of the result say to what.
 * `missing` names filtered dimensions this table does not have.
 */
export function select(dataset, table, filters, since, until) {
  const passes = new Uint8Array(table.count).fill(1);
  const missing = [];
  for (const [dimension, wanted] of filters) {
    const keys = table.keys.get(dimension);
    if (!keys) {
      missing.push(dimension);
      continue;
    }
    const allowed = dataset.dictionary.get(dimension).map((value) => wanted.has(value));
    for (let s = 0; s < table.count; s++) {
      if (!allowed[keys[s]]) passes[s] = 0;
    }
  }
  if (table.interval === 0) {
    return { table, passes, missing, since: -Infinity, until: Infinity };
  }
  return {
    table,
    passes,
    missing,
    since: Math.floor(since / table.interval) * table.interval,
    until: Math.ceil(until / table.interval) * table.interval,
  };
}

/* Series -> group number by the values of some dimensions; none of them: one group of everything. */
export function groupKeys(dataset, table, dimensions) {
  const groups = [];
  const keys = new Uint32Array(table.count);
  const seen = new Map();
  const columns = dimensions.map((d) => table.keys.get(d));
  const names = dimensions.map((d) => dataset.dictionary.get(d));
  for (let s = 0; s < table.count; s++) {
    const key = columns.map((c) => c[s]).join(',');
    let group = seen.get(key);
    if (group === undefined) {
      group = groups.length;
      seen.set(key, group);
      groups.push(columns.map((c, d) => names[d][c[s]]));
    }
    keys[s] = group;
  }
  if (dimensions.length === 0 && groups.length === 0) groups.push([]);
  return { groups, keys };
}

class Figures {
  constructor(slots, width) {
    this.width = width;
    this.slots = slots;
    this.columns = new Map();
    this.touched = new Uint8Array(slots * width);
  }

  value(metric, group, step = 0) {
    const parts = DERIVED[metric];
    if (parts) {
      let sum = 0n;
      for (const part of parts) sum += this.value(part, group, step);
      return sum;
    }
    return this.columns.get(metric)?.get(group * this.width + step) ?? 0n;
  }

  /* All steps of a group together. */
  total(metric, group) {
    let sum = 0n;
    for (let step = 0; step < this.width; step++) sum += this.value(metric, group, step);
    return sum;
  }

  has(group) {
    for (let step = 0; step < this.width; step++) {
      if (this.touched[group * this.width + step]) return true;
    }
    return false;
  }
}

/*
 * Sums of the selected rows by group, and by time when `time` is { first, step, count }.  Groups are
 * those of groupKeys(), or keys of your own making.
 */
export function sum(selection, keys, groupCount, metrics, time = null) {
  const { table, passes, since, until } = selection;
  const width = time ? time.count : 1;
  const figures = new Figures(groupCount, width);
  const slotOf = new Int32Array(table.length).fill(-1);
  for (let s = 0; s < table.count; s++) {
    if (!passes[s]) continue;
    for (let r = table.first[s]; r < table.first[s + 1]; r++) {
      const t = table.times[r];
      if (table.interval > 0 && (t < since || t >= until)) continue;
      const step = time ? Math.floor((t - time.first) / time.step) : 0;
      if (step < 0 || step >= width) continue;
      slotOf[r] = keys[s] * width + step;
      figures.touched[slotOf[r]] = 1;
    }
  }
  for (const metric of metrics.flatMap((m) => DERIVED[m] ?? [m])) {
    const column = table.columns.get(metric);
    if (!column || figures.columns.has(metric)) continue;
    const sums = new Sums(groupCount * width);
    for (let r = 0; r < table.length; r++) {
      if (slotOf[r] >= 0) sums.add(slotOf[r], column.values[r]);
    }
    if (column.big) {
      for (const [r, value] of column.big) {
        if (slotOf[r] >= 0) sums.addBig(slotOf[r], value);
      }
    }
    figures.columns.set(metric, sums);
  }
  return figures;
}

/* Descending order of BigInts, ties by name so that the order is the same every time. */
export function byValueThenName(a, b) {
  if (a.value !== b.value) return a.value > b.value ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
