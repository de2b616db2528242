import type { BackendAnswer, Decision, FoundSession } from '#usher/domain';
import { timeText } from '../endpoint/fields.js';

/** Said of every token that is good for one question only. */
export const DEAD_BY_DESIGN =
  'The token is dead by design: it is good for one question, seconds after it was made. Asking again would say nothing about this viewer; /api/v1/why knows what was answered.';

/** What a backend answered, and how long it took. */
export function howItAnswered({ backend, status, tookMs }: BackendAnswer): string {
  const said = status === undefined ? '' : ` with ${status}`;
  return `${backend} answered${said} within ${Math.max(1, Math.round(tookMs))} ms.`;
}

type Missing = Exclude<FoundSession, { readonly kind: 'same' }>;

/** What the registry has in its place, and why that says nothing. */
export function whatIsThere(found: Missing): [says: string, because: string] {
  if (found.kind === 'other')
    return [
      'Another viewer’s session has this id: it would be closed as replaced.',
      'Token, address or channel differ.',
    ];
  if (found.kind === 'none' && found.revokedAt === undefined)
    return ['There is no such session.', 'Nobody of this id, token, address and channel is watching.'];
  return [
    'This very session was revoked: it answers nothing, and the backend is asked anew.',
    `${revokedText(found)} As long as a hold refuses its viewer, the hold says so.`,
  ];
}

/** When a session was revoked. */
export function revokedText(found: Missing): string {
  const at = 'revokedAt' in found && found.revokedAt !== undefined ? ` at ${timeText(found.revokedAt)}` : '';
  return found.kind === 'none'
    ? `It was revoked${at}, and is closed.`
    : `It was revoked${at}, and is being closed.`;
}

/** Why this stands in for a decision. */
export function because({ source, allow }: Decision): string {
  switch (source) {
    case 'stale':
      return 'This very token was allowed, and its time still runs.';
    case 'known':
      return 'The backend allowed this viewer, or one like him, lately.';
    case 'overload':
      return allow ? 'The overload policy lets in.' : 'The overload policy refuses.';
    default:
      return allow
        ? 'Nobody knows him, and the fail mode lets in.'
        : 'Nobody knows him, and the fail mode refuses.';
  }
}
