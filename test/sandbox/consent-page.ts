import { escapeHtml } from './exchange.ts';
import type { Person } from './people.ts';

/** What a consent page shows. */
export interface ConsentPage {
  readonly brand: 'Google' | 'Microsoft';
  readonly title: string;
  readonly people: readonly Person[];
  /** Preselects the account of this address or id. */
  readonly loginHint: string | undefined;
  readonly scopes: readonly { readonly value: string; readonly meaning: string }[];
  /** Whether each scope has its own checkbox. */
  readonly granular: boolean;
  /** Where the form goes. */
  readonly action: string;
  /** The authorization request, carried through the form. */
  readonly request: string;
  readonly allow: string;
  readonly refuse: string;
}

const STYLE = `
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f3f5f8;
         font: 15px/1.5 system-ui, sans-serif; color: #1f2733; }
  main { background: #fff; padding: 2rem 2.25rem; border-radius: 14px; box-shadow: 0 8px 32px #1f273322;
         width: min(26rem, 88vw); margin: 2rem 0; }
  h1 { font-size: 1.25rem; margin: .25rem 0 1rem; }
  small, .brand { color: #5b6675; }
  .brand { font-weight: 600; letter-spacing: .02em; }
  fieldset { border: 0; padding: 0; margin: 0 0 1.25rem; }
  legend { font-weight: 600; padding: 0; margin-bottom: .4rem; }
  label { display: flex; gap: .7rem; align-items: flex-start; padding: .5rem .7rem; border-radius: 9px; }
  label:hover { background: #f3f5f8; }
  label span { display: block; overflow-wrap: anywhere; }
  footer { display: flex; gap: .75rem; justify-content: flex-end; }
  button { font: inherit; font-weight: 600; padding: .55rem 1.2rem; border-radius: 9px; cursor: pointer;
           border: 1px solid #c5ccd6; background: #fff; color: inherit; }
  button.yes { background: #1a5fd0; border-color: #1a5fd0; color: #fff; }
  li { overflow-wrap: anywhere; }`;

function documentOf(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main>${body}</main></body></html>`;
}

/** The page on which a person picks an account and allows or refuses. */
export function consentPage(page: ConsentPage): string {
  const hint = page.loginHint?.toLowerCase();
  const hinted = page.people.find((person) => person.email.toLowerCase() === hint || person.id === hint);
  const chosen = hinted ?? page.people[0];
  const accounts = page.people
    .map(
      (person) =>
        `<label><input type="radio" name="account" value="${escapeHtml(person.email)}" required${
          person === chosen ? ' checked' : ''
        }><span>${escapeHtml(person.name)}<br><small>${escapeHtml(person.email)}</small></span></label>`,
    )
    .join('\n');
  const scopes = page.granular
    ? page.scopes
        .map(
          ({ value, meaning }) =>
            `<label><input type="checkbox" name="scope" value="${escapeHtml(value)}" checked><span>${escapeHtml(
              meaning,
            )}<br><small>${escapeHtml(value)}</small></span></label>`,
        )
        .join('\n')
    : `<ul>${page.scopes
        .map(({ value, meaning }) => `<li>${escapeHtml(meaning)} <small>${escapeHtml(value)}</small></li>`)
        .join('\n')}</ul>`;
  return documentOf(
    page.title,
    `<p class="brand">${page.brand} sandbox</p><h1>${escapeHtml(page.title)}</h1>
<form method="post" action="${escapeHtml(page.action)}">
<input type="hidden" name="request" value="${escapeHtml(page.request)}">
<fieldset><legend>Account</legend>${accounts === '' ? '<p>Nobody has an account here yet.</p>' : accounts}</fieldset>
<fieldset><legend>The app wants to</legend>${scopes}</fieldset>
<footer><button name="decision" value="refuse" formnovalidate>${escapeHtml(page.refuse)}</button>
<button class="yes" name="decision" value="allow">${escapeHtml(page.allow)}</button></footer>
</form>`,
  );
}

/** The page that a request ends on when it must not be redirected. */
export function errorPage(brand: ConsentPage['brand'], code: string, explanation: string): string {
  return documentOf(
    code,
    `<p class="brand">${brand} sandbox</p><h1>Access blocked</h1>
<p>${escapeHtml(explanation)}</p><p><small>${escapeHtml(code)}</small></p>`,
  );
}
