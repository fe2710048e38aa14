/* The columns that breakdown tables share, and how money is worded. */

import { ERROR_KINDS } from './dataset.js';
import { ratio } from './exact.js';
import * as format from './format.js';
import { label } from './state.js';

const PLACES = 4;

/*
 * Cost as text.  Tokens without a price are never money: a sum of nothing but such tokens is
 * "unpriced", a sum with some of them is a lower bound.
 */
export function costText(dataset, units, unpriced, approximate, places = PLACES) {
  if (!dataset.hasCost) return '–';
  if (units === 0n && unpriced > 0n) return 'unpriced';
  const amount = format.cost(units, dataset.digits, places);
  /* One sign is enough: what is only a lower bound is no more exact for being approximate too. */
  if (unpriced > 0n) return `≥\u00a0${amount}`;
  return approximate > 0n ? `≈\u00a0${amount}` : amount;
}

export function costTitle(dataset, units, unpriced, approximate) {
  if (!dataset.hasCost) return 'No price list was used.';
  const parts = [`Estimated: ${format.costExact(units, dataset.digits)}`];
  if (unpriced > 0n) parts.push(`${format.count(unpriced)} tokens have no price and are not in it`);
  if (approximate > 0n) parts.push(`${format.count(approximate)} tokens have an approximate price`);
  return parts.join('; ');
}

const plain = (id, text, metric = id) => ({
  id,
  label: text,
  kind: 'number',
  get: (row) => row[metric],
  text: (row) => format.count(row[metric]),
  csv: (row) => String(row[metric]),
});

const share = (id, text, of) => ({
  id,
  label: text,
  kind: 'number',
  get: of,
  text: (row) => format.percent(of(row)),
  csv: (row) => (of(row) === null ? '' : of(row).toFixed(6)),
});

/* Row of figures for one group, everything as BigInt. */
export function rowOf(figures, group, name, metrics) {
  const row = { name };
  for (const metric of [...metrics, 'TotalTokenCount', 'PromptTokenCount', 'Errors', 'Records']) {
    row[metric] = figures.value(metric, group);
  }
  return row;
}

export function costColumn(dataset) {
  return {
    id: 'EstimatedCost',
    label: 'Est. cost (USD)',
    kind: 'number',
    get: (row) => (row.EstimatedCost === 0n && row.UnpricedTokens > 0n ? null : row.EstimatedCost),
    text: (row) =>
      costText(dataset, row.EstimatedCost, row.UnpricedTokens, row.ApproximateTokens),
    title: (row) =>
      costTitle(dataset, row.EstimatedCost, row.UnpricedTokens, row.ApproximateTokens),
    csv: (row) =>
      row.EstimatedCost === 0n && row.UnpricedTokens > 0n
        ? ''
        : format.decimal(row.EstimatedCost, dataset.digits),
  };
}

export function breakdownColumns(dataset, dimension, total) {
  const perMillion = (row) => {
    const priced = row.TotalTokenCount - row.UnpricedTokens;
    return priced > 0n ? (row.EstimatedCost * 1000000n + priced / 2n) / priced : null;
  };
  const titled = (id) => plain(id, dataset.names.metrics.get(id));
  const columns = [
    { id: 'name', label: label(dimension), kind: 'name', get: (r) => r.name, text: (r) => r.name },
    titled('TotalTokenCount'),
    share('share', 'Token share', (row) => ratio(row.TotalTokenCount, total.TotalTokenCount)),
    titled('InputTokenCount'),
    titled('OutputTokenCount'),
    titled('CacheReadInputTokenCount'),
    titled('CacheWriteInputTokenCount'),
    share('cache', 'Cache share', (row) => ratio(row.CacheReadInputTokenCount, row.PromptTokenCount)),
    titled('Invocations'),
    plain('Errors', 'Failed'),
    share('errors', 'Error rate', (row) => ratio(row.Errors, row.Records)),
  ];
  if (dataset.hasCost) {
    columns.splice(3, 0, costColumn(dataset), {
      id: 'perMillion',
      label: 'Cost per 1M',
      kind: 'number',
      get: perMillion,
      text: (row) => {
        const units = perMillion(row);
        return units === null ? '–' : format.cost(units, dataset.digits, PLACES);
      },
      title: () => 'Estimated cost of the priced tokens, over a million of them',
      csv: (row) => {
        const units = perMillion(row);
        return units === null ? '' : format.decimal(units, dataset.digits);
      },
    });
    columns.push(plain('UnpricedTokens', 'Unpriced tokens'));
    if (dataset.hasApproximate) columns.push(plain('ApproximateTokens', 'Approximately priced'));
  }
  /* A metric this page has no place for is a column of its own. */
  const shown = new Set([...columns.map((column) => column.id), ...ERROR_KINDS, 'EstimatedCost',
    'UnpricedTokens', 'ApproximateTokens']);
  for (const id of dataset.cube.columns.keys()) {
    if (!shown.has(id)) columns.push(titled(id));
  }
  return columns;
}
