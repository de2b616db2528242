import type { Hold } from '#usher/domain';

interface Pattern {
  readonly hold: Hold;
  /** What stands between the stars, in order. */
  readonly parts: readonly string[];
}

/** Holds on user agents: `*` stands for anything, letter case does not matter. The longest pattern counts. */
export class AgentPatterns {
  #patterns: readonly Pattern[] | undefined;

  constructor(private readonly byPattern: ReadonlyMap<string, Hold>) {}

  /** To be called after each change. */
  changed(): void {
    this.#patterns = undefined;
  }

  /** The hold that counts. */
  find(userAgent: string, counts: (hold: Hold) => boolean): Hold | undefined {
    if (this.byPattern.size === 0) return undefined;
    const agent = userAgent.toLowerCase();
    this.#patterns ??= Array.from(this.byPattern, ([pattern, hold]) => ({
      hold,
      parts: pattern.split('*'),
    })).sort((a, b) => b.hold.subject.length - a.hold.subject.length);
    return this.#patterns.find(({ hold, parts }) => counts(hold) && matches(agent, parts))?.hold;
  }
}

/** Found one after the other from the left, which is enough, and linear: no regular expression meets a viewer's words. */
function matches(agent: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (parts.length === 1) return agent === first;
  if (agent.length < first.length + last.length || !agent.startsWith(first) || !agent.endsWith(last))
    return false;
  let at = first.length;
  const end = agent.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = agent.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
