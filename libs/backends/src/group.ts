import type { GroupConfig } from '#usher/config';
import type { BackendAnswer, Clock, DenyAnswer, UnavailableAnswer } from '#usher/domain';

/** One backend of a group, behind its own gate, with the question already in it. */
export interface GroupMember {
  readonly name: string;
  /** After `signal` aborted its answer, or its rejection, is not looked at. */
  ask(signal: AbortSignal): Promise<BackendAnswer>;
}

/**
 * Asks several backends as one. `any`: all at once, the first allow wins and the rest are cancelled; `first`: in the
 * configured order. `members` are in the configured order. An allow keeps its member's name as `backend`; what the
 * group says as a whole carries the group's. A member that rejects is `unavailable`, because us.
 */
export async function askGroup(
  name: string,
  config: Pick<GroupConfig, 'policy' | 'partial' | 'onDeny'>,
  members: readonly GroupMember[],
  clock: Clock,
): Promise<BackendAnswer> {
  if (members.length === 0) throw new Error(`the group ${name} has no members`);
  const startedAt = clock.monotonic();
  const told = config.policy === 'any' ? await askAll(members) : await askInOrder(members, config.onDeny);
  if (!Array.isArray(told)) return told;
  return { ...asOne(name, members, told, config.partial), tookMs: clock.monotonic() - startedAt };
}

/** The first allow, or what all of them said, in the configured order. */
function askAll(members: readonly GroupMember[]): Promise<BackendAnswer | BackendAnswer[]> {
  const rest = new AbortController();
  return new Promise((resolve) => {
    const told: BackendAnswer[] = [];
    let open = members.length;
    for (const [place, member] of members.entries()) {
      void askMember(member, rest.signal).then((answer) => {
        open -= 1;
        told[place] = answer;
        if (answer.kind === 'allow') {
          resolve(answer);
          rest.abort();
        } else if (open === 0) {
          resolve(told);
        }
      });
    }
  });
}

/** The first answer that ends the search, or what all of them said. */
async function askInOrder(
  members: readonly GroupMember[],
  onDeny: GroupConfig['onDeny'],
): Promise<BackendAnswer | BackendAnswer[]> {
  const told: BackendAnswer[] = [];
  const { signal } = new AbortController();
  for (const member of members) {
    const answer = await askMember(member, signal);
    if (answer.kind === 'allow' || (answer.kind === 'deny' && onDeny === 'stop')) return answer;
    told.push(answer);
  }
  return told;
}

async function askMember(member: GroupMember, signal: AbortSignal): Promise<BackendAnswer> {
  try {
    return await member.ask(signal);
  } catch (error) {
    const detail = error instanceof Error ? error.name : 'unknown';
    return {
      kind: 'unavailable',
      backend: member.name,
      because: 'us',
      reason: 'internal',
      detail,
      tookMs: 0,
    };
  }
}

/** No member allowed: what the group says. */
function asOne(
  name: string,
  members: readonly GroupMember[],
  told: readonly BackendAnswer[],
  partial: GroupConfig['partial'],
): BackendAnswer {
  const denials = told.filter((answer) => answer.kind === 'deny');
  const silent = told.filter((answer) => answer.kind === 'unavailable');
  if (denials.length === 0 || (silent.length > 0 && partial === 'unavailable'))
    return nobodyKnows(name, silent);
  // The first in order speaks, unless only a later one has something to show instead.
  const spoken = denials.find((denial) => denial.redirect !== undefined) ?? denials[0]!;
  const denial: DenyAnswer = { ...spoken, backend: name };
  if (silent.length === 0) return { ...denial, reason: 'group-denied' };
  if (partial === 'deny') return { ...denial, reason: 'group-partial' };
  const unlessKnownAt = members.filter((_, place) => told[place]!.kind === 'unavailable').map(nameOf);
  return { ...denial, reason: 'group-partial', unlessKnownAt };
}

function nameOf(member: GroupMember): string {
  return member.name;
}

/** It is the backends' fault if it is one's; the first such gives the reason. */
function nobodyKnows(name: string, silent: readonly UnavailableAnswer[]): UnavailableAnswer {
  const first = silent.find((answer) => answer.because === 'backend') ?? silent[0]!;
  const detail = silent.map((answer) => `${answer.backend}: ${answer.detail}`).join('; ');
  return { ...first, backend: name, detail };
}
