/**
 * Makes an element. `properties` are set as properties, `data-*` and `aria-*` and `role` as attributes;
 * children are elements or texts, and texts are never read as markup.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (/^(data|aria)-|^role$/.test(name)) made.setAttribute(name, String(value));
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** The element of this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A message to the person. `tone`: `good`, `bad` or `info`; `more` goes below the text. */
export function notice(tone, title, text, ...more) {
  return element(
    'div',
    { className: `notice ${tone}`, role: tone === 'bad' ? 'alert' : undefined },
    element('strong', {}, title),
    text === undefined ? undefined : element('p', {}, text),
    ...more,
  );
}
