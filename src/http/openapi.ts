import * as z from 'zod';
import { availabilityOfAllRequestSchema, availabilityRequestSchema } from '../domain/availability.ts';
import { connectRequestSchema } from '../domain/connector.ts';
import { createEventRequestSchema, eventChangeBodySchema, eventRecordSchema } from '../domain/event.ts';
import { conflictSchema, errorCodeSchema } from '../domain/failure.ts';
import {
  confirmationBodySchema,
  groupHoldRecordSchema,
  groupHoldRequestSchema,
  holdRecordSchema,
  placeHoldRequestSchema,
} from '../domain/hold.ts';
import { meetingTimesOfAllRequestSchema, meetingTimesRequestSchema } from '../domain/meeting-times.ts';
import { calendarTaskSchema } from '../domain/task.ts';
import { cancelledEventSchema } from '../operations/tasks.ts';
import {
  availabilitySchema,
  joinedAvailabilitySchema,
  changesSchema,
  connectorSchema,
  deadLetterSchema,
  eventsSchema,
  meetingTimesSchema,
  startedSchema,
  taskSchema,
} from './answer-shapes.ts';

/** The HTTP contract (OpenAPI 3.1). Request shapes come from the schemas that read them. */
export function describeApi(publicBaseUrl: string): object {
  const connectorId = parameter('id', 'path', 'The connector.');
  const idempotencyKey = optional(
    parameter('Idempotency-Key', 'header', 'With the same key, a repeat is the same write.'),
  );
  const eventId = parameter('eventId', 'path', 'The event.');
  const holdId = parameter('holdId', 'path', 'The hold, by the id its caller gave it.');
  const ifMatch = optional(
    parameter('If-Match', 'header', 'The version that the caller has seen: any other is a conflict.'),
  );
  return {
    openapi: '3.1.0',
    info: { title: 'Calendar sync worker', version: '1' },
    servers: [{ url: publicBaseUrl }],
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: {
        Problem: {
          type: 'object',
          required: ['type', 'title', 'status', 'code', 'detail'],
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            code: z.toJSONSchema(errorCodeSchema),
            detail: { type: 'string' },
            conflicts: { type: 'array', items: z.toJSONSchema(conflictSchema) },
            errors: {
              type: 'array',
              items: {
                type: 'object',
                properties: { path: { type: 'string' }, message: { type: 'string' } },
              },
            },
          },
        },
      },
    },
    paths: {
      '/v1/connectors': {
        post: operation('Connect a calendar account', {
          parameters: [idempotencyKey],
          body: connectRequestSchema,
          success: 201,
          answer: startedSchema,
        }),
        get: operation("List a person's connectors", {
          parameters: [parameter('userId', 'query', 'The person.')],
          answer: z.object({ connectors: z.array(connectorSchema) }),
        }),
      },
      '/v1/connectors/{id}': {
        get: operation('State of a connector', { parameters: [connectorId], answer: connectorSchema }),
        delete: operation('Disconnect: revoke and erase', {
          parameters: [connectorId],
          answer: connectorSchema,
        }),
      },
      '/v1/connectors/{id}/availability': {
        post: operation('When is the account busy', {
          parameters: [connectorId],
          body: availabilityRequestSchema,
          answer: availabilitySchema,
        }),
      },
      '/v1/availability': {
        post: operation('When are the people behind several connectors busy', {
          body: availabilityOfAllRequestSchema,
          answer: joinedAvailabilitySchema,
        }),
      },
      '/v1/connectors/{id}/meeting-times': {
        post: operation('When would a meeting suit', {
          parameters: [connectorId],
          body: meetingTimesRequestSchema,
          answer: meetingTimesSchema,
        }),
      },
      '/v1/meeting-times': {
        post: operation('When would a meeting suit everybody behind several connectors', {
          body: meetingTimesOfAllRequestSchema,
          answer: meetingTimesSchema,
        }),
      },
      '/v1/connectors/{id}/changes': {
        get: operation('What has changed since', {
          parameters: [
            connectorId,
            optional(parameter('cursor', 'query', 'Of the answer before. Without: everything.')),
          ],
          answer: changesSchema,
        }),
      },
      '/v1/connectors/{id}/events': {
        get: operation('Which events are in the calendars', {
          parameters: [
            connectorId,
            parameter('timeMin', 'query', 'RFC 3339; without an offset, a local time of `timeZone`.'),
            parameter('timeMax', 'query', 'Likewise; exclusive.'),
            optional(parameter('timeZone', 'query', 'IANA; default: UTC.')),
            {
              ...optional(parameter('calendars', 'query', 'May be repeated. Default: all that count.')),
              schema: { type: 'array', items: { type: 'string' } },
            },
            {
              ...optional(
                parameter('maxStalenessMs', 'query', 'How old the answer may be. Default: any age.'),
              ),
              schema: { type: 'integer', minimum: 0 },
            },
          ],
          answer: eventsSchema,
        }),
        post: operation('Create an event', {
          pending: taskSchema,
          parameters: [connectorId, idempotencyKey],
          body: createEventRequestSchema,
          success: 201,
          answer: eventRecordSchema,
        }),
      },
      '/v1/connectors/{id}/events/{eventId}': {
        patch: operation('Change an event', {
          pending: taskSchema,
          parameters: [connectorId, eventId, idempotencyKey, ifMatch],
          body: eventChangeBodySchema,
          answer: eventRecordSchema,
        }),
        delete: operation('Cancel an event', {
          pending: taskSchema,
          parameters: [
            connectorId,
            eventId,
            idempotencyKey,
            ifMatch,
            optional(parameter('calendarId', 'query', 'Default: the primary calendar.')),
            optional(parameter('occurrence', 'query', 'Only the occurrence of this original start.')),
            optional(parameter('notify', 'query', 'all (default) or none.')),
          ],
          answer: cancelledEventSchema,
        }),
      },
      '/v1/connectors/{id}/holds': {
        post: operation('Hold a time', {
          pending: taskSchema,
          parameters: [connectorId, idempotencyKey],
          body: placeHoldRequestSchema,
          success: 201,
          answer: holdRecordSchema,
        }),
      },
      '/v1/connectors/{id}/holds/{holdId}': {
        delete: operation('Let a hold go, also one that has yet to come', {
          pending: taskSchema,
          parameters: [connectorId, holdId, idempotencyKey],
          answer: holdRecordSchema,
        }),
      },
      '/v1/connectors/{id}/holds/{holdId}/confirm': {
        post: operation('Turn a hold into the event', {
          pending: taskSchema,
          parameters: [connectorId, holdId, idempotencyKey],
          body: confirmationBodySchema,
          answer: holdRecordSchema,
        }),
      },
      '/v1/holds': {
        post: operation('Hold one time on several connectors, all or nothing', {
          pending: groupHoldRecordSchema,
          parameters: [idempotencyKey],
          body: groupHoldRequestSchema,
          success: 201,
          answer: groupHoldRecordSchema,
        }),
      },
      '/v1/holds/{holdId}': {
        get: operation('How a hold over several connectors stands', {
          parameters: [holdId],
          answer: groupHoldRecordSchema,
        }),
        delete: operation('Let it go on every connector', {
          pending: groupHoldRecordSchema,
          parameters: [holdId],
          answer: groupHoldRecordSchema,
        }),
      },
      '/v1/holds/{holdId}/confirm': {
        post: operation('Turn it into the event on every connector', {
          pending: groupHoldRecordSchema,
          parameters: [holdId],
          body: confirmationBodySchema,
          answer: groupHoldRecordSchema,
        }),
      },
      '/v1/connectors/{id}/tasks/{taskId}': {
        get: operation('Where a task stands', {
          parameters: [connectorId, parameter('taskId', 'path', 'The task.')],
          answer: taskSchema,
        }),
      },
      '/v1/tasks': {
        post: operation('Send tasks to the queue', {
          parameters: [idempotencyKey],
          body: z.strictObject({ tasks: z.array(calendarTaskSchema).min(1).max(100) }),
          success: 202,
          answer: z.object({ ids: z.array(z.string()) }),
        }),
      },
      '/v1/dead-letters': {
        get: operation('The newest messages that could not be handed over', {
          parameters: [optional(parameter('limit', 'query', '1 to 100; default 20.'))],
          answer: z.object({ deadLetters: z.array(deadLetterSchema) }),
        }),
      },
      '/v1/dead-letters/{id}/replay': {
        post: operation('Send one to the queue again, once', {
          parameters: [parameter('id', 'path', 'The dead letter.')],
          success: 202,
          answer: deadLetterSchema,
        }),
      },
    },
  };
}

function parameter(name: string, place: 'path' | 'query' | 'header', description: string): object {
  return { name, in: place, required: true, description, schema: { type: 'string' } };
}

function optional(asked: object): object {
  return { ...asked, required: false };
}

function operation(
  summary: string,
  {
    body,
    answer,
    success = 200,
    pending,
    parameters = [],
  }: { body?: z.ZodType; answer: z.ZodType; success?: number; pending?: z.ZodType; parameters?: object[] },
): object {
  const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return {
    summary,
    parameters,
    ...(body !== undefined && {
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) },
        },
      },
    }),
    responses: {
      [success]: described('Done', answer),
      ...(success === 201 && pending !== undefined && { 200: described('Done before', answer) }),
      ...(pending !== undefined && { 202: described('On its way: look at `Location`', pending) }),
      default: { description: 'A problem (RFC 9457)', content: problem },
    },
  };
}

function described(description: string, answer: z.ZodType): object {
  return { description, content: { 'application/json': { schema: z.toJSONSchema(answer) } } };
}
