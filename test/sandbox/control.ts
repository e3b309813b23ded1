import type { z } from 'zod';
import type { ChurnOptions, Edit } from './churn.ts';
import {
  Deed,
  EventChange,
  EventRemoval,
  Latency,
  NewChurn,
  NewEvent,
  NewFault,
  NewLimits,
  NewPerson,
  NewPushSettings,
  SecretStates,
} from './control-bodies.ts';
import { escapeHtml, jsonAnswer, pageAnswer } from './exchange.ts';
import type { Answer, Ask } from './exchange.ts';
import type { Faults } from './faults.ts';
import type { OpenChannel } from './google/channels.ts';
import type { LimitSettings } from './limits.ts';
import { doGraphDeed, NewGraphHabits, setGraphHabits } from './microsoft/graph-deeds.ts';
import type { People, Person } from './people.ts';
import type { Pushes } from './pushes.ts';
import type { TruthLog } from './truth-log.ts';
import type { Client, World } from './world.ts';

/** What can be looked at and changed over HTTP. */
export interface ControlRooms {
  readonly people: People;
  readonly faults: Faults;
  readonly truth: TruthLog;
  readonly clients: { google: Client; microsoft: Client };
  readonly limits: LimitSettings;
  readonly graph: World['graph'];
  readonly pushes: Pushes;
  churn(person: Person, options: ChurnOptions): Edit[];
  expireSyncTokens(person: Person): void;
  channels(): OpenChannel[];
  readonly urls: { google: string; microsoft: string };
}

/** Answers `/sandbox/…` on both origins: the same levers as in code, for a person or another program. */
export function controlPanel(rooms: ControlRooms): (ask: Ask) => Answer {
  const { people, faults, truth, clients, limits, pushes } = rooms;
  const personOf = (email: string): NonNullable<ReturnType<People['get']>> => {
    const person = people.get(email);
    if (person === undefined) throw new Error(`nobody has the address ${email}`);
    return person;
  };
  const levers: Record<string, (ask: Ask) => Answer> = {
    'GET /sandbox/': () => pageAnswer(200, indexPage(rooms)),
    'GET /sandbox/truth': () => jsonAnswer(200, truth),
    'DELETE /sandbox/truth': () => {
      truth.reset();
      return jsonAnswer(200, {});
    },
    'POST /sandbox/client-died': () => {
      truth.clientDied();
      return jsonAnswer(200, {});
    },
    'GET /sandbox/people': () => jsonAnswer(200, people.all()),
    'POST /sandbox/people': (ask) => jsonAnswer(201, people.add(read(ask, NewPerson))),
    'POST /sandbox/events': (ask) => {
      const { person, calendar, event } = read(ask, NewEvent);
      return jsonAnswer(201, personOf(person).addEvent(calendar, event));
    },
    'PATCH /sandbox/events': (ask) => {
      const { person, calendar, id, changes } = read(ask, EventChange);
      return jsonAnswer(200, personOf(person).changeEvent(calendar, id, changes));
    },
    'DELETE /sandbox/events': (ask) => {
      const { person, calendar, id } = read(ask, EventRemoval);
      return jsonAnswer(200, personOf(person).removeEvent(calendar, id));
    },
    'POST /sandbox/churn': (ask) => {
      const { person, ...options } = read(ask, NewChurn);
      return jsonAnswer(200, rooms.churn(personOf(person), options));
    },
    'GET /sandbox/channels': () => jsonAnswer(200, rooms.channels()),
    'GET /sandbox/pushes': () => jsonAnswer(200, { ...pushes.settings, inFlight: pushes.inFlight }),
    'POST /sandbox/pushes': (ask) =>
      jsonAnswer(200, Object.assign(pushes.settings, read(ask, NewPushSettings))),
    'POST /sandbox/graph': (ask) => jsonAnswer(200, setGraphHabits(rooms.graph, read(ask, NewGraphHabits))),
    'POST /sandbox/deeds': (ask) => {
      const deed = read(ask, Deed);
      const person = personOf(deed.person);
      switch (deed.do) {
        case 'expire-access-tokens':
          person.expireAccessTokens();
          break;
        case 'revoke-grant':
          person.revokeGrant();
          break;
        case 'challenge-claims':
          person.challengeClaims(deed.interactive === undefined ? {} : { interactive: deed.interactive });
          break;
        case 'require-admin-consent':
          person.adminConsentRequired = deed.required;
          break;
        case 'expire-sync-tokens':
          rooms.expireSyncTokens(person);
          break;
        case 'add-calendar':
          person.addCalendar(deed.calendar);
          break;
        case 'change-calendar':
          person.changeCalendar(deed.calendar, deed.changes);
          break;
        case 'remove-calendar':
          person.removeCalendar(deed.calendar);
          break;
        case 'silence':
          pushes.silence(person.email, deed.silent);
          break;
        case 'set-lifetime':
          person.setAccessTokenLifetime(deed.seconds);
          break;
        case 'restrict-calendar':
          person.restrictCalendar(deed.calendar, deed.reason);
          break;
        case 'expire-delta-links':
        case 'lifecycle':
          doGraphDeed(rooms.graph, person, deed);
          break;
      }
      return jsonAnswer(200, {});
    },
    'POST /sandbox/faults': (ask) => {
      faults.add(read(ask, NewFault));
      return jsonAnswer(201, {});
    },
    'DELETE /sandbox/faults': () => {
      faults.clear();
      return jsonAnswer(200, {});
    },
    'POST /sandbox/latency': (ask) => {
      const { provider, ms } = read(ask, Latency);
      faults.latency(provider, ms);
      return jsonAnswer(200, {});
    },
    'POST /sandbox/clients': (ask) => {
      const states = read(ask, SecretStates);
      if (states.google !== undefined) clients.google.secretState = states.google;
      if (states.microsoft !== undefined) clients.microsoft.secretState = states.microsoft;
      return jsonAnswer(200, {});
    },
    'POST /sandbox/limits': (ask) => jsonAnswer(200, Object.assign(limits, read(ask, NewLimits))),
  };
  return (ask) => {
    const lever = levers[`${ask.method} ${ask.url.pathname}`];
    if (lever === undefined) return jsonAnswer(404, { error: 'no such lever', levers: Object.keys(levers) });
    try {
      return lever(ask);
    } catch (thrown) {
      return jsonAnswer(400, { error: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  };
}

function read<T>(ask: Ask, shape: z.ZodType<T>): T {
  return shape.parse(JSON.parse(ask.body));
}

function indexPage({ people, truth, urls }: ControlRooms): string {
  const rows = people
    .all()
    .map(({ name, email, provider, account, timeZone, calendars }) => {
      const count = calendars.reduce((sum, { calendar }) => sum + calendar.events.size, 0);
      const kind = provider === 'microsoft' ? `${provider} (${account})` : provider;
      const cells = [name, email, kind, timeZone, String(calendars.length), String(count)];
      return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
    })
    .join('\n');
  const { ok, problems } = truth.verdict();
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Calendar sandbox</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2733}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee6}</style>
<h1>Calendar sandbox</h1>
<p>Google at <code>${escapeHtml(urls.google)}</code>, Microsoft at <code>${escapeHtml(urls.microsoft)}</code>.
See <a href="/sandbox/people">people and events</a> and <a href="/sandbox/truth">what the providers saw</a>.</p>
<table><tr><th>Name</th><th>Address</th><th>Account</th><th>Zone</th><th>Calendars</th><th>Events</th></tr>${rows}</table>
<h2>Verdict on the client: ${ok ? 'fine' : 'not fine'}</h2>
<ul>${problems.map((problem) => `<li>${escapeHtml(problem)}</li>`).join('')}</ul></html>`;
}
