import { type IRequest, Router } from 'itty-router';
import { readConfig } from '../config.ts';
import { describeFailure } from '../domain/failure.ts';
import { describeThrown } from '../metrics.ts';
import type { Context } from '../operations/context.ts';
import { completeAdminConsent, startAdminConsent } from './admin-consent.ts';
import { authenticate } from './authenticate.ts';
import { showAvailability, showAvailabilityOfAll } from './availability.ts';
import { createConnector, deleteConnector, listConnectorsOf, showConnector } from './connectors.ts';
import { replayDeadLetter, showDeadLetters } from './dead-letters.ts';
import { showChanges, showEvents } from './event-list.ts';
import { cancelEvent, createEvent, updateEvent } from './events.ts';
import {
  cancelHold,
  cancelHoldOnAll,
  confirmHold,
  confirmHoldOnAll,
  placeHold,
  placeHoldOnAll,
  showHoldOnAll,
} from './holds.ts';
import { suggestMeetingTimes, suggestMeetingTimesOfAll } from './meeting-times.ts';
import { showMetrics } from './metrics.ts';
import { completeSignIn, startSignIn } from './oauth.ts';
import { describeApi } from './openapi.ts';
import { json, nothingHere, page, problem } from './respond.ts';
import { getTask, submitTasks } from './tasks.ts';
import { takePush } from './webhooks.ts';

interface Routed extends Request {
  params: Record<'id' | 'taskId' | 'eventId' | 'holdId' | 'provider' | 'ref', string>;
}

const router = Router<Routed & IRequest, [Context]>();

router.all('/v1/*', (request, { config }) => authenticate(request, config.apiTokens));
router.post('/v1/connectors', createConnector);
router.get('/v1/connectors', listConnectorsOf);
router.get('/v1/connectors/:id', ({ params }, context) => showConnector(params.id, context));
router.delete('/v1/connectors/:id', ({ params }, context) => deleteConnector(params.id, context));
router.post('/v1/connectors/:id/availability', (request, context) =>
  showAvailability(request, request.params.id, context),
);
router.post('/v1/availability', showAvailabilityOfAll);
router.post('/v1/connectors/:id/meeting-times', (request, context) =>
  suggestMeetingTimes(request, request.params.id, context),
);
router.post('/v1/meeting-times', suggestMeetingTimesOfAll);
router.get('/v1/connectors/:id/events', (request, context) =>
  showEvents(request, request.params.id, context),
);
router.get('/v1/connectors/:id/changes', (request, context) =>
  showChanges(request, request.params.id, context),
);
router.post('/v1/connectors/:id/events', (request, context) =>
  createEvent(request, request.params.id, context),
);
router.patch('/v1/connectors/:id/events/:eventId', (request, context) =>
  updateEvent(request, request.params, context),
);
router.delete('/v1/connectors/:id/events/:eventId', (request, context) =>
  cancelEvent(request, request.params, context),
);
router.post('/v1/connectors/:id/holds', (request, context) => placeHold(request, request.params.id, context));
router.delete('/v1/connectors/:id/holds/:holdId', (request, context) =>
  cancelHold(request, request.params, context),
);
router.post('/v1/connectors/:id/holds/:holdId/confirm', (request, context) =>
  confirmHold(request, request.params, context),
);
router.post('/v1/holds', placeHoldOnAll);
router.get('/v1/holds/:holdId', ({ params }, context) => showHoldOnAll(params.holdId, context));
router.delete('/v1/holds/:holdId', ({ params }, context) => cancelHoldOnAll(params.holdId, context));
router.post('/v1/holds/:holdId/confirm', (request, context) =>
  confirmHoldOnAll(request, request.params.holdId, context),
);
router.get('/v1/connectors/:id/tasks/:taskId', ({ params }, context) =>
  getTask(params.id, params.taskId, context),
);
router.post('/v1/tasks', submitTasks);
router.get('/v1/dead-letters', showDeadLetters);
router.post('/v1/dead-letters/:id/replay', ({ params }, context) => replayDeadLetter(params.id, context));
router.get('/metrics', (request, { config }) => authenticate(request, config.apiTokens));
router.get('/metrics', showMetrics);
router.get('/oauth/microsoft/admin-consent/start', startAdminConsent);
router.get('/oauth/microsoft/admin-consent/callback', completeAdminConsent);
router.get('/oauth/:provider/start', (request, context) =>
  startSignIn(request, request.params.provider, context),
);
router.get('/oauth/:provider/callback', (request, context) =>
  completeSignIn(request, request.params.provider, context),
);
router.post('/webhooks/:provider/:ref', (request, context) => takePush(request, request.params, context));
router.get('/openapi.json', (_, { config }) => json(describeApi(config.publicBaseUrl)));
router.get('/healthz', () => json({ status: 'ok' }));
router.all('*', nothingHere);

/** Answers one request: the whole HTTP surface, with a problem for whatever goes wrong. */
export async function handleRequest(request: Request, parts: Omit<Context, 'config'>): Promise<Response> {
  try {
    const config = readConfig(parts.env, parts.randomBytes);
    if (!config.ok) {
      const { code, message: detail } = describeFailure(config.failure);
      parts.record({ event: 'error', where: 'configuration', detail });
      return problem({ code, detail });
    }
    return await router.fetch(request, { ...parts, config: config.value });
  } catch (thrown) {
    parts.record({
      event: 'error',
      where: `${request.method} ${new URL(request.url).pathname}`,
      detail: describeThrown(thrown),
    });
    // The platform or the database failed: the request may be sent again.
    if (new URL(request.url).pathname.startsWith('/oauth/')) {
      return page(503, 'This did not work just now', 'Please try again in a moment.');
    }
    const detail = 'The request could not be completed; try again later.';
    return problem({ code: 'provider_unavailable', detail, retryAfterSeconds: 5 });
  }
}
