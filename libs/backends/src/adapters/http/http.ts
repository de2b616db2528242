import { allowWhenRules } from '../allow-when.js';
import type { Middleware } from '../middleware.js';

/** Any endpoint that speaks the contract of Astra's "HTTP Request": the status is the answer. */
export const http: Middleware = {
  sees: ['query', 'ip', 'channel', 'path', 'host', 'userAgent'],
  otherStatus: 'deny',
  settings: ['allowWhen'],
  address: (url) => url,
  rules: allowWhenRules,
};
