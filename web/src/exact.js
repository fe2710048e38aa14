/*
 * Sums that stay exact.  Counts are added as doubles while they fit into 2^53 and move into a BigInt
 * when they do not, so the usual case costs one addition and no case loses a token.
 */

const MAX = Number.MAX_SAFE_INTEGER;

export class Sums {
  constructor(size) {
    this.low = new Float64Array(size);
    this.high = null;
  }

  add(index, value) {
    const sum = this.low[index] + value;
    if (sum <= MAX) {
      this.low[index] = sum;
      return;
    }
    this.addBig(index, BigInt(this.low[index]));
    this.low[index] = value;
  }

  addBig(index, value) {
    this.high ??= new Map();
    this.high.set(index, (this.high.get(index) ?? 0n) + value);
  }

  get(index) {
    return BigInt(this.low[index]) + (this.high?.get(index) ?? 0n);
  }
}

/* a / b as a double, exact to well below what is shown; null where there is nothing to divide by. */
export function ratio(a, b) {
  if (b === 0n) return null;
  return Number((a * 1000000000n) / b) / 1e9;
}
