import { scriptAddress } from '../../http/address.js';
import { allowWhenRules } from '../allow-when.js';
import type { Middleware } from '../middleware.js';

/** The endpoint for Cesbo's servers; Flussonic's is another, /auth/flussonic/arescrypt/ (Flussonic's documentation). */
const SCRIPT = '/auth/arescrypt/';

/**
 * IPTVportal, cloud or local. UNVERIFIED: which parameters and headers it reads, which it answers with, and how it
 * says no beyond "not 200" are not published; assumed: Astra's contract, the status is the answer.
 */
export const iptvportal: Middleware = {
  sees: ['query', 'ip', 'channel', 'path', 'host', 'userAgent'],
  otherStatus: 'failed',
  settings: ['allowWhen'],
  address: (url) => scriptAddress(url, SCRIPT, /\/arescrypt\/?$/),
  rules: allowWhenRules,
};
