import * as z from 'zod';
import { availabilityRequestSchema } from '../domain/availability.ts';
import { connectRequestSchema } from '../domain/connector.ts';
import { errorCodeSchema } from '../domain/failure.ts';
import { calendarTaskSchema } from '../domain/task.ts';

/** The HTTP contract (OpenAPI 3.1). Request shapes come from the schemas that read them. */
export function describeApi(publicBaseUrl: string): object {
  const connectorId = parameter('id', 'path', 'The connector.');
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
        post: operation('Connect a calendar account', { body: connectRequestSchema, success: 201 }),
        get: operation("List a person's connectors", {
          parameters: [parameter('userId', 'query', 'The person.')],
        }),
      },
      '/v1/connectors/{id}': {
        get: operation('State of a connector', { parameters: [connectorId] }),
        delete: operation('Disconnect: revoke and erase', { parameters: [connectorId] }),
      },
      '/v1/connectors/{id}/availability': {
        post: operation('When is the account busy', {
          parameters: [connectorId],
          body: availabilityRequestSchema,
        }),
      },
      '/v1/connectors/{id}/tasks/{taskId}': {
        get: operation('Where a task stands', {
          parameters: [connectorId, parameter('taskId', 'path', 'The task.')],
        }),
      },
      '/v1/tasks': {
        post: operation('Send tasks to the queue', {
          body: z.strictObject({ tasks: z.array(calendarTaskSchema).min(1).max(100) }),
          success: 202,
        }),
      },
    },
  };
}

function parameter(name: string, place: 'path' | 'query', description: string): object {
  return { name, in: place, required: true, description, schema: { type: 'string' } };
}

function operation(
  summary: string,
  { body, success = 200, parameters = [] }: { body?: z.ZodType; success?: number; parameters?: object[] },
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
      [success]: { description: 'Done', content: { 'application/json': {} } },
      default: { description: 'A problem (RFC 9457)', content: problem },
    },
  };
}
