/* What the reader chose.  It lives in the address after the #, so a view can be kept and shared. */

import { iso } from './format.js';

/* dimension -> [label, the same for many, key in the address], from the data set */
let dimensions = new Map();

export function useDimensions(names) {
  dimensions = names;
}

export const label = (dimension) => dimensions.get(dimension)?.[0] ?? dimension;
export const labels = (dimension) => dimensions.get(dimension)?.[1] ?? dimension;
const address = (dimension) => dimensions.get(dimension)?.[2] ?? `dim.${dimension}`;
const idOf = (key) =>
  [...dimensions.keys()].find((id) => address(id) === key) ??
  (key.startsWith('dim.') ? key.slice(4) : null);

export const PRESETS = [
  ['all', 'All', 'Everything in the data'],
  ['24h', '24 h', 'The last 24 hours of the data'],
  ['7d', '7 d', 'The last 7 days of the data'],
  ['30d', '30 d', 'The last 30 days of the data'],
  ['month', 'Month', 'The calendar month in which the data ends'],
];
const LENGTHS = { '24h': 86400, '7d': 7 * 86400, '30d': 30 * 86400 };

const DEFAULTS = {
  by: 'InferenceProfileType',
  step: 'auto',
  matrix: 'TotalTokenCount',
  table: 'ModelId',
};

export function emptyState() {
  return { range: 'all', since: null, until: null, filters: new Map(), ...DEFAULTS };
}

function parseTime(text) {
  const milliseconds = Date.parse(text ?? '');
  return Number.isFinite(milliseconds) ? Math.floor(milliseconds / 1000) : null;
}

export function readHash(hash) {
  const state = emptyState();
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ''))) {
    if (key === 'range') {
      if (PRESETS.some(([id]) => id === value)) state.range = value;
    } else if (key === 'from') state.since = parseTime(value);
    else if (key === 'to') state.until = parseTime(value);
    else if (key in DEFAULTS) state[key] = value;
    else {
      const dimension = idOf(key);
      if (!dimension) continue;
      if (!state.filters.has(dimension)) state.filters.set(dimension, new Set());
      state.filters.get(dimension).add(value);
    }
  }
  if (state.since !== null && state.until !== null && state.since < state.until) {
    state.range = 'custom';
  } else {
    state.since = state.until = null;
  }
  return state;
}

export function writeHash(state) {
  const params = new URLSearchParams();
  if (state.range === 'custom') {
    params.set('from', iso(state.since));
    params.set('to', iso(state.until));
  } else if (state.range !== 'all') {
    params.set('range', state.range);
  }
  for (const [dimension, values] of state.filters) {
    for (const value of values) params.append(address(dimension), value);
  }
  for (const [key, value] of Object.entries(DEFAULTS)) {
    if (state[key] !== value) params.set(key, state[key]);
  }
  return params.toString();
}

/* The chosen time as seconds.  Presets count back from the end of the data, not from now. */
export function timeRange(state, extent) {
  if (state.range === 'custom') return { since: state.since, until: state.until };
  if (state.range === 'month') {
    const last = new Date((extent.until - 1) * 1000);
    const first = Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), 1) / 1000;
    return { since: Math.max(first, extent.since), until: extent.until };
  }
  const length = LENGTHS[state.range];
  if (!length) return { since: extent.since, until: extent.until };
  return { since: Math.max(extent.until - length, extent.since), until: extent.until };
}

const WEEK = 7 * 86400;
const STEPS = [1, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 86400, WEEK];
const FIRST_MONDAY = 4 * 86400;

/* Bar widths that are whole multiples of the data's own interval and give a readable number of bars. */
export function stepsFor(interval, length, mostBars) {
  const steps = STEPS.filter((s) => s >= interval && s % interval === 0);
  if (!steps.includes(interval)) steps.unshift(interval);
  const usable = steps.filter((s) => s === steps.at(-1) || length / s <= 1500);
  const automatic = usable.find((s) => length / s <= mostBars) ?? usable.at(-1);
  return { usable, automatic };
}

/* Where the bar that holds `time` begins; weeks begin on Monday. */
export function stepStart(time, step) {
  const offset = step === WEEK ? FIRST_MONDAY : 0;
  return Math.floor((time - offset) / step) * step + offset;
}
