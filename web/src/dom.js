/*
 * Elements without markup.  Text only ever reaches the page through text nodes and attributes set
 * here, so a model or role may be called anything.
 */

const SVG = 'http://www.w3.org/2000/svg';

function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
}

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, props);
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, props);
  element.append(...children);
  return element;
}

/* Sets text only where it differs: what a reader has selected stays selected. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null || value === undefined) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/* A name from the data: isolated, so that its writing direction cannot reorder what is around it. */
export function name(text, className = 'name') {
  return h('bdi', { class: className, title: text }, text);
}

export function setName(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
    element.title = text;
  }
}
