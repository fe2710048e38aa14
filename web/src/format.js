/* Figures and times as text.  Exact unless the name says short. */

const LOCALE = 'en-US';
const integer = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, {
  notation: 'compact',
  maximumSignificantDigits: 4,
});
const compactAxis = new Intl.NumberFormat(LOCALE, {
  notation: 'compact',
  maximumSignificantDigits: 3,
});
const day = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });
const dayYear = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const clock = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  hour: '2-digit',
  minute: '2-digit',
});

export function count(value) {
  return integer.format(value);
}

export function countShort(value) {
  return value < 100000n ? integer.format(value) : compact.format(value).replace(/([A-Z])$/, ' $1');
}

export function axisCount(value) {
  return compactAxis.format(value).replace(/([A-Z])$/, ' $1');
}

/* Units of 10^-digits dollars as a decimal, exact: "1234.5678". */
export function decimal(units, digits) {
  const text = units.toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = text.slice(text.length - digits).replace(/0+$/, '');
  return fraction ? `${whole}.${fraction}` : whole;
}

export function costExact(units, digits) {
  const [whole, fraction = ''] = decimal(units, digits).split('.');
  return `$${integer.format(BigInt(whole))}.${fraction.padEnd(2, '0')}`;
}

/* Rounded half up to `places`; what rounding would make nothing of is shown as less than that. */
export function cost(units, digits, places) {
  let scaled = units;
  if (digits > places) {
    const divisor = 10n ** BigInt(digits - places);
    scaled = (units + divisor / 2n) / divisor;
  } else {
    scaled = units * 10n ** BigInt(places - digits);
  }
  if (scaled === 0n && units > 0n) return `<$0.${'0'.repeat(places - 1)}1`;
  const text = scaled.toString().padStart(places + 1, '0');
  const whole = integer.format(BigInt(text.slice(0, text.length - places)));
  return `$${whole}.${text.slice(text.length - places)}`;
}

export function axisCost(value) {
  if (value >= 1000) return `$${axisCount(value)}`;
  if (value === 0) return '$0';
  return `$${Number(value.toPrecision(3))}`;
}

export function percent(value, places = 1) {
  if (value === null) return '–';
  const scaled = value * 100;
  const least = 10 ** -places;
  if (scaled > 0 && scaled < least) return `<${least}%`;
  if (scaled < 100 && scaled > 100 - least) return `>${(100 - least).toFixed(places)}%`;
  return `${scaled.toFixed(places)}%`;
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let n = Number(value);
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit ? n.toFixed(1) : n} ${units[unit]}`;
}

const date = (seconds) => new Date(seconds * 1000);

export const isoMinute = (seconds) => date(seconds).toISOString().slice(0, 16);
export const iso = (seconds) => `${date(seconds).toISOString().slice(0, 19)}Z`;
export const shortDay = (seconds) => day.format(date(seconds));
export const shortClock = (seconds) => clock.format(date(seconds));
export const dayAndTime = (seconds) =>
  `${dayYear.format(date(seconds))}, ${clock.format(date(seconds))} UTC`;

/* "3 Nov 2026, 14:00–15:00 UTC"; whole days without a clock; the last day of a range is inclusive. */
export function span(since, until) {
  const whole = since % 86400 === 0 && until % 86400 === 0;
  if (whole) {
    const last = until - 86400;
    return last <= since
      ? `${dayYear.format(date(since))} UTC`
      : `${dayYear.format(date(since))} – ${dayYear.format(date(last))} UTC`;
  }
  const sameDay = Math.floor(since / 86400) === Math.floor((until - 1) / 86400);
  const end = sameDay
    ? until % 86400 === 0
      ? '24:00'
      : shortClock(until)
    : `${dayYear.format(date(until))}, ${shortClock(until)}`;
  return `${dayYear.format(date(since))}, ${shortClock(since)}${sameDay ? '–' : ' – '}${end} UTC`;
}

const DURATIONS = [
  [7 * 86400, 'week'],
  [86400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

export function duration(seconds) {
  const [unit, name] = DURATIONS.find(([u, n]) => seconds % u === 0 && (n !== 'week' || seconds === u));
  const n = seconds / unit;
  return n === 1 ? name : `${n} ${name}s`;
}
