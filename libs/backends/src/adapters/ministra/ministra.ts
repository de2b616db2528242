import { scriptAddress } from '../../http/address.js';
import { headerIn } from '../../http/reply-facts.js';
import { failed } from '../../http/verdict.js';
import type { Middleware } from '../middleware.js';

const SCRIPT = '/server/api/chk_flussonic_tmp_link.php';

/**
 * Ministra (Stalker) with "Temporary URL" and "Flussonic support". The script reads `token` and nothing else; it
 * answers 200 with X-UserId, or 403 (source of stalker_portal, server/api). A 200 without that header is the error
 * page of a PHP that died.
 */
export const ministra: Middleware = {
  sees: ['query'],
  otherStatus: 'failed',
  settings: [],
  address: (url) => scriptAddress(url, SCRIPT, /\.php$/),
  rules: ({ requireHeader }) => {
    const field = requireHeader.toLowerCase();
    return {
      needsBody: () => false,
      judge: (reply, byStatus) =>
        byStatus.kind === 'allow' && field !== '' && !headerIn(reply.headers, field)
          ? failed('backend-malformed', `status 200 without ${requireHeader}: an error page?`)
          : byStatus,
    };
  },
};
