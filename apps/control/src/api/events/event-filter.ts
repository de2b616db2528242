import type { LifecycleEvent } from '#usher/sessions';
import { typeMatcher } from '../../webhooks/receiver.js';

/** Which events; all that is given must hold. Text as it is shown. */
export interface EventFilter {
  /** As webhooks are configured: a type, or how it begins and `*`. */
  readonly type?: readonly string[] | undefined;
  readonly edge?: string | undefined;
  readonly session?: string | undefined;
  readonly user?: string | undefined;
  readonly namespace?: string | undefined;
  readonly backend?: string | undefined;
}

export function eventFilter(filter: EventFilter): (event: LifecycleEvent) => boolean {
  const { edge, session, backend } = filter;
  const isOfType = typeMatcher(filter.type ?? ['*']);
  return (event) =>
    isOfType(event.type) &&
    (edge ?? event.edge) === event.edge &&
    (session ?? event.session) === event.session &&
    (backend ?? event.facts['backend']) === event.facts['backend'] &&
    isAbout(event.facts, filter);
}

/** About the user: he is named, or he is who is held. A fact that names no namespace may be his. */
function isAbout(facts: LifecycleEvent['facts'], { user, namespace }: EventFilter): boolean {
  const of = facts['namespace'] ?? namespace;
  if (facts['kind'] === 'user' || facts['kind'] === 'user-viewer') {
    const [first, second] = (facts['subject'] ?? '').split('/');
    return (namespace ?? first) === first && (user ?? second) === second;
  }
  return (user ?? facts['user']) === facts['user'] && (namespace ?? of) === of;
}
