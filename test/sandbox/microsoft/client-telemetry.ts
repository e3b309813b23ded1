/**
 * Parameters that Microsoft's own client library adds to authorize and token requests beside the protocol's:
 * who it is, on what it runs, and how its last calls went. Entra takes them and changes nothing for them.
 */
export const CLIENT_TELEMETRY: readonly string[] = [
  'client-request-id',
  'x-client-SKU',
  'x-client-VER',
  'x-client-OS',
  'x-client-CPU',
  'x-client-current-telemetry',
  'x-client-last-telemetry',
  'x-client-xtra-sku',
  'x-ms-lib-capability',
  'x-app-name',
  'x-app-ver',
  'X-AnchorMailbox',
];
