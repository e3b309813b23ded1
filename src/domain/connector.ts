import * as z from 'zod';

/** The calendar providers this worker speaks. */
export const providerNameSchema = z.enum(['google', 'microsoft']);
export type ProviderName = z.infer<typeof providerNameSchema>;

/** An id of a connector: names one person's account at one provider, and its actor. */
export const connectorIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,128}$/, 'must be 1 to 128 letters, digits or _ . : -');

const MOST_CONNECTORS = 20;

/** Several connectors, each named once. */
export const connectorIdsSchema = z
  .array(connectorIdSchema)
  .min(1, 'must name at least one connector')
  .max(MOST_CONNECTORS, `must name at most ${MOST_CONNECTORS} connectors`)
  .refine((ids) => new Set(ids).size === ids.length, 'must name each connector once');

export const connectorStatusSchema = z.enum([
  'pending',
  'active',
  'reauth_required',
  'consent_missing',
  'disconnected',
]);
export type ConnectorStatus = z.infer<typeof connectorStatusSchema>;

/** A connector as the API shows it. Times are RFC 3339, UTC. */
export interface Connector {
  connectorId: string;
  userId: string;
  provider: ProviderName;
  status: ConnectorStatus;
  accountEmail?: string;
  tenantId?: string;
  scopes: string[];
  createdAt: string;
  updatedAt: string;
}

/** Microsoft's tenant segment: the three well-known audiences, a tenant's GUID, or one of its domains. */
export const tenantSchema = z
  .string()
  .regex(
    /^(common|organizations|consumers|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)$/,
    'must be common, organizations, consumers, a tenant GUID or a domain',
  );

/** The body of `POST /v1/connectors`. With `connectorId`: connect the same account again, everything kept. */
export const connectRequestSchema = z.strictObject({
  userId: z.string().min(1).max(256),
  provider: providerNameSchema,
  redirectUri: z.string().min(1).max(2048),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be one OAuth scope'))
    .min(1)
    .max(50)
    .optional(),
  loginHint: z
    .string()
    .min(1)
    .max(320)
    .regex(/^[^\p{Cc}]*$/u, 'must hold no control characters')
    .optional(),
  tenant: tenantSchema.optional(),
  connectorId: connectorIdSchema.optional(),
});
export type ConnectRequest = z.infer<typeof connectRequestSchema>;
