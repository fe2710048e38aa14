/* The totals on top of the page.  Short figures here; the exact ones are in each title. */

import { colorOf } from './chart.js';
import { TOKEN_KINDS } from './dataset.js';
import { h, setAttribute, setText } from './dom.js';
import { ratio } from './exact.js';
import { costText, costTitle } from './figures.js';
import * as format from './format.js';

class Card {
  constructor(id, title, wide = false) {
    this.value = h('p', { class: 'card-value', id: `card-${id}` });
    this.delta = h('span', { class: 'delta' });
    this.bar = h('div', { class: 'bar', 'aria-hidden': 'true', hidden: true });
    this.parts = h('ul', { class: 'parts' });
    this.note = h('p', { class: 'card-note' });
    this.warning = h('p', { class: 'card-warning', hidden: true });
    this.element = h('section', { class: wide ? 'card wide' : 'card', 'aria-label': title },
      h('div', { class: 'card-head' }, h('h2', {}, title), this.delta), this.value, this.bar,
      this.parts, this.note, this.warning);
    this.parts.hidden = true;
  }

  set(short, exact, note = '', warning = '') {
    setText(this.value, short);
    setAttribute(this.value, 'title', exact);
    setText(this.note, note);
    this.note.hidden = !note;
    setText(this.warning, warning);
    this.warning.hidden = !warning;
  }

  /* parts: { name, value: BigInt, slot, text, title } */
  setParts(parts, total) {
    this.bar.hidden = this.parts.hidden = false;
    while (this.bar.children.length > parts.length) this.bar.lastChild.remove();
    while (this.parts.children.length > parts.length) this.parts.lastChild.remove();
    parts.forEach((part, i) => {
      const piece = this.bar.children[i] ?? this.bar.appendChild(h('i'));
      piece.style.background = colorOf(part.slot);
      piece.style.flexGrow = String(ratio(part.value, total) ?? 0);
      piece.hidden = part.value === 0n;
      const item = this.parts.children[i] ?? this.parts.appendChild(
        h('li', {}, h('i'), h('bdi'), h('b')));
      item.children[0].style.background = colorOf(part.slot);
      setText(item.children[1], part.name);
      setText(item.children[2], part.text);
      setAttribute(item, 'title', part.title);
    });
  }

  setDelta(now, before, span) {
    const change = before === null || before === 0n ? null : Number(((now - before) * 100000n) / before) / 1000;
    this.delta.hidden = change === null;
    if (change === null) return;
    const sign = change > 0 ? '+' : change < 0 ? '−' : '±';
    const size = Math.abs(change) >= 1000 ? '>999' : Math.abs(change).toFixed(1);
    setText(this.delta, `${sign}${size}% vs prior ${span}`);
  }
}

export class Cards {
  constructor() {
    this.tokens = new Card('tokens', 'Tokens', true);
    this.cost = new Card('cost', 'Estimated cost');
    this.invocations = new Card('invocations', 'Invocations');
    this.routing = new Card('routing', 'Where it ran', true);
    this.cache = new Card('cache', 'Cache share');
    this.errors = new Card('errors', 'Error rate');
    this.element = h('div', { class: 'cards' },
      [this.tokens, this.cost, this.invocations, this.routing, this.cache, this.errors].map(
        (card) => card.element));
  }

  /* types: [{ name, slot, value }] by profile type; before: totals of the time before, or null. */
  update(dataset, total, types, before, beforeSpan) {
    const tokens = total.TotalTokenCount;
    this.tokens.set(format.countShort(tokens), `${format.count(tokens)} tokens`);
    this.tokens.setParts(
      TOKEN_KINDS.map((metric, slot) => ({
        name: dataset.names.metrics.get(metric), slot, value: total[metric],
        text: format.countShort(total[metric]),
        title: `${dataset.names.metrics.get(metric)}: ${format.count(total[metric])} tokens`,
      })), tokens);

    const { EstimatedCost: cost, UnpricedTokens: unpriced, ApproximateTokens: near } = total;
    if (dataset.hasCost) {
      const asOf = dataset.prices?.as_of ? `List prices as of ${dataset.prices.as_of}` : 'List prices';
      this.cost.set(
        costText(dataset, cost, unpriced, near, 2),
        costTitle(dataset, cost, unpriced, near),
        `${asOf}, before discounts and tax`,
        unpriced > 0n ? `${format.count(unpriced)} tokens unpriced, not included` : '');
    } else {
      this.cost.set('–', 'No price list was used.', 'No price list was used');
    }

    const failed = total.Errors;
    this.invocations.set(
      format.countShort(total.Invocations), `${format.count(total.Invocations)} invocations`,
      failed === 0n ? 'No failed requests' : `and ${format.count(failed)} failed requests`);

    const most = types.reduce((a, b) => (b.value > a.value ? b : a), types[0] ?? { name: '–', value: 0n });
    this.routing.set(
      tokens === 0n ? '–' : `${format.percent(ratio(most.value, tokens))} ${most.name}`,
      `${most.name}: ${format.count(most.value)} of ${format.count(tokens)} tokens`);
    this.routing.setParts(
      types.map((t) => ({
        ...t, text: format.percent(ratio(t.value, tokens)),
        title: `${t.name}: ${format.count(t.value)} tokens`,
      })), tokens);

    const read = total.CacheReadInputTokenCount;
    const prompt = total.PromptTokenCount;
    this.cache.set(
      format.percent(ratio(read, prompt)),
      `${format.count(read)} of ${format.count(prompt)} prompt tokens were read from the cache`,
      'of prompt tokens read from the cache');

    this.errors.set(
      format.percent(ratio(failed, total.Records), 2),
      `${format.count(failed)} of ${format.count(total.Records)} requests failed`,
      `${format.count(total.InvocationClientErrors)} client, ` +
        `${format.count(total.InvocationServerErrors)} server, ` +
        `${format.count(total.InvocationThrottles)} throttled`);

    this.tokens.setDelta(tokens, before?.TotalTokenCount ?? null, beforeSpan);
    this.cost.setDelta(cost, dataset.hasCost ? (before?.EstimatedCost ?? null) : null, beforeSpan);
    this.invocations.setDelta(total.Invocations, before?.Invocations ?? null, beforeSpan);
  }
}
