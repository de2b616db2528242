import { findEndpoint } from '../endpoint/endpoint.js';
import { startApiWorld, type ApiWorld } from '../for-tests.js';
import { CONTROLLERS } from '../api.js';
import { problemSchema } from './describe-endpoints.js';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly security?: unknown;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Record<string, { readonly examples?: object }> };
  readonly responses: Readonly<Record<string, { readonly content?: Record<string, Body> }>>;
}
interface Body {
  readonly schema?: object;
  readonly example?: unknown;
  readonly examples?: Record<string, { readonly value: unknown }>;
}

let world: ApiWorld;
let document: { openapi: string; paths: Record<string, Record<string, Operation>> };
let operations: [name: string, operation: Operation][];

beforeAll(async () => {
  world = await startApiWorld();
  document = (await world.get('/openapi.json', { token: '' })) as typeof document;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
      operation,
    ]),
  );
});
afterAll(() => world?.stop());

describe('GET /openapi.json', () => {
  it('needs no token, and names every route that there is, and no other', () => {
    expect(document.openapi).toMatch(/^3\./);
    const routes = world.api.paths.all().filter((route) => !route.startsWith('HEAD '));
    expect(operations.map(([name]) => name).sort()).toEqual(routes);
  });

  it('says of each what it does, what it takes, and how it may end, with examples', () => {
    for (const [name, { summary, responses, requestBody, security }] of operations) {
      expect([name, summary]).toEqual([name, expect.stringMatching(/./)]);
      const [status] = Object.keys(responses).filter((one) => one.startsWith('2'));
      const answer = Object.values(responses[status!]?.content ?? {})[0];
      expect([name, answer?.schema, answer?.example]).toEqual([name, expect.anything(), expect.anything()]);
      for (const content of Object.values(requestBody?.content ?? {})) {
        expect([name, content.examples]).toEqual([name, expect.anything()]);
      }
      expect([name, security === undefined]).toEqual([name, name.endsWith('/openapi.json')]);
    }
  });

  it('shows problem documents as they are', () => {
    const problems = operations.flatMap(([, { responses }]) =>
      Object.values(responses).flatMap(({ content }) =>
        Object.values(content?.['application/problem+json']?.examples ?? {}).map(({ value }) => value),
      ),
    );
    expect(problems.length).toBeGreaterThan(20);
    for (const problem of problems) expect(problemSchema.safeParse(problem).error).toBeUndefined();
  });

  it('names parameters as they are taken', () => {
    const list = Object.fromEntries(operations)['GET /api/v1/sessions'];
    expect(list?.parameters?.map(({ name }) => name)).toEqual([
      'user',
      'namespace',
      'channel',
      'edge',
      'address',
      'state',
      'source',
      'presence',
      'limit',
      'cursor',
    ]);
    const top = Object.fromEntries(operations)['GET /api/v1/top'];
    expect(top?.parameters?.filter(({ required }) => required).map(({ name }) => name)).toEqual(['by']);
    const one = Object.fromEntries(operations)['GET /api/v1/sessions/:edge/:id'];
    expect(one?.parameters?.map(({ name, in: where }) => [name, where])).toEqual([
      ['edge', 'path'],
      ['id', 'path'],
    ]);
  });

  it('has no reference that leads nowhere', () => {
    const text = JSON.stringify(document);
    const references = Array.from(text.matchAll(/"\$ref":"#\/([^"]+)"/g), ([, path = '']) => path);
    for (const path of references) {
      let found: unknown = document;
      for (const part of path.split('/')) found = (found as Record<string, unknown>)[part];
      expect([path, found]).toEqual([path, expect.anything()]);
    }
  });

  it('is made once for a process that makes it twice', async () => {
    const other = await startApiWorld();
    const again = await other.call('/openapi.json', { token: '' });
    await other.stop();
    expect(again.body).toEqual(document);
  });
});

describe('the examples', () => {
  it('are what the schemas say', () => {
    const handlers = CONTROLLERS.flatMap((controller) => {
      const prototype = controller.prototype as Record<string, unknown>;
      return Object.getOwnPropertyNames(prototype).map(
        (name) => [`${controller.name}.${name}`, prototype[name]] as const,
      );
    });
    let examples = 0;
    for (const [name, handler] of handlers) {
      const facts = typeof handler === 'function' ? findEndpoint(handler) : undefined;
      if (facts === undefined) continue;
      examples += 1;
      expect([name, facts.answer.safeParse(facts.example).error]).toEqual([name, undefined]);
      if (facts.body === undefined || facts.bodyExample === undefined) continue;
      expect([name, facts.body.safeParse(facts.bodyExample).error]).toEqual([name, undefined]);
    }
    expect(examples).toBe(operations.length);
  });
});
