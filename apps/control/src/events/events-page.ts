import { EXAMPLES } from './event-examples.js';
import { EVENTS, isAboutSession, opensKnown } from './event-schemas.js';

/** Between these lines of docs/events.md stand the types. */
const MARKS = /(<!-- events: [^\n]*-->\n)[^]*(<!-- \/events -->)/;
const ID = '1779048900123-000000-07';
const LATER = '1779049800456-000002-07';
const TIME = '2026-05-17T20:15:00.123Z';

/** The page with its types as they are. Throws where it has no place for them. */
export function withEvents(page: string): string {
  if (!MARKS.test(page)) throw new Error('the page has no <!-- events: … --> and <!-- /events -->');
  return page.replace(MARKS, (_, start: string, end: string) => `${start}\n${sections()}\n\n${end}`);
}

function sections(): string {
  return Object.entries(EVENTS)
    .map(([type, { about }]) => {
      const example = JSON.stringify(exampleOf(type), undefined, 2);
      return `### ${type}\n\n${about} [Schema](events/${type}.schema.json)\n\n\`\`\`json\n${example}\n\`\`\``;
    })
    .join('\n\n');
}

/** One event of this type. */
export function exampleOf(type: string): object {
  const isOpening = type === 'session.opened';
  return {
    id: isOpening || !opensKnown(type) ? ID : LATER,
    type,
    time: TIME,
    ...(isAboutSession(type) ? { edge: 'astra-1', session: '42' } : {}),
    ...(opensKnown(type) ? { opening: ID } : {}),
    facts: EXAMPLES[type] ?? {},
  };
}
