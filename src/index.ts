export default {
  fetch() {
    return new Response('');
  },
};
import { DurableObject } from 'cloudflare:workers';
export class ConnectorDO extends DurableObject {}
