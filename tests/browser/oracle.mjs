/*
 * Sums over a page data set, written from its definition (web/README.md) and not from the page:
 * every row becomes an object, all figures are BigInt.
 */

const TOKENS = ['InputTokenCount', 'OutputTokenCount', 'CacheReadInputTokenCount',
  'CacheWriteInputTokenCount'];
const ERRORS = ['InvocationClientErrors', 'InvocationServerErrors', 'InvocationThrottles'];
const ALL = ['Invocations', ...TOKENS, ...ERRORS, 'EstimatedCost', 'UnpricedTokens'];

export function* rowsOf(json, name) {
  const table = json[name];
  let r = 0;
  for (let s = 0; s < table.rows.length; s++) {
    let bucket = 0;
    for (let i = 0; i < table.rows[s]; i++, r++) {
      const row = {};
      table.dimensions.forEach((d, n) => { row[d] = json.dictionary[d][table.series[n][s]]; });
      if (table.interval) {
        bucket += table.time[r];
        row.time = table.start + bucket * table.interval;
      }
      for (const m of ALL) row[m] = BigInt(table.metrics[m]?.[r] ?? 0);
      row.Total = TOKENS.reduce((t, m) => t + row[m], 0n);
      row.Prompt = row.Total - row.OutputTokenCount;
      row.Errors = ERRORS.reduce((t, m) => t + row[m], 0n);
      yield row;
    }
  }
}

/* key(row) -> sums of the rows for which keep(row) holds. */
export function sums(json, name, key, keep = () => true) {
  const groups = new Map();
  for (const row of rowsOf(json, name)) {
    if (!keep(row)) continue;
    const k = key(row);
    if (!groups.has(k)) groups.set(k, Object.fromEntries([...ALL, 'Total', 'Prompt', 'Errors'].map((m) => [m, 0n])));
    const group = groups.get(k);
    for (const m of Object.keys(group)) group[m] += row[m];
  }
  return groups;
}

export const one = (json, keep) => sums(json, 'cube', () => '', keep).get('');

export const grouped = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

/* Units of 1e-12 dollars as the page's exact wording. */
export function dollars(units, digits = 12) {
  const text = String(units).padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '').padEnd(2, '0');
  return `$${grouped(text.slice(0, -digits))}.${fraction}`;
}
