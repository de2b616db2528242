import { Metrics } from '#usher/observe';
import { startControl, type Control } from '../control.js';
import { findEndpoint } from './endpoint/endpoint.js';
import { controlRoutes } from './control-routes.js';
import { aSession, ask, startApiWorld, type ApiWorld } from './for-tests.js';
import { readFile } from 'node:fs/promises';

let world: ApiWorld;
let control: Control;
let token: string;

beforeAll(async () => {
  world = await startApiWorld();
  control = await startControl({ node: world.node, metrics: new Metrics() });
  token = (await readFile(`${world.data}/admin-token`, 'utf8')).trim();
});
afterAll(async () => {
  await control?.close();
  await world?.stop();
});

const { controllers } = controlRoutes({ get: () => ({}) as never });
const handlers = controllers.flatMap((controller) => {
  const prototype = controller.prototype as Record<string, unknown>;
  return Object.getOwnPropertyNames(prototype).map(
    (name) => [`${controller.name}.${name}`, prototype[name]] as const,
  );
});

describe('the routes over what control does', () => {
  it.each(['/cuts/given-up', '/outages', '/webhooks', '/webhooks/dead-letters'])(
    'GET %s is answered by a running control',
    async (path) => {
      expect((await ask(control.api.port, path, { token })).status).toBe(200);
    },
  );

  it('POST /kicks finds an address however it is written, and says what was not cut', async () => {
    const openedAt = Math.floor(world.clock.now()) - 60_000;
    const registry = world.node.registry;
    await registry.open(aSession(openedAt, { sessionId: 'mapped', ip: '::ffff:192.0.2.77' }));
    await registry.open(aSession(openedAt, { sessionId: 'long', ip: '2001:0DB8:0:0:0:0:0:0007' }));
    const kick = async (address: string) => {
      const body = { address, holdFor: '0s', reason: 'test' };
      return (await ask(control.api.port, '/kicks', { method: 'POST', token, body })).body as unknown;
    };
    const revoked = (session: string) => ({ revoked: [{ edge: 'astra-1', session }], cannotCut: 1 });
    expect(await kick('192.0.2.77')).toMatchObject(revoked('mapped'));
    expect(await kick('2001:db8::7')).toMatchObject(revoked('long'));
  });

  it.each([
    { address: 'foo', reason: 'test' },
    { address: 'foo', holdFor: '0s', reason: 'test' },
  ])('POST /kicks of what is no address is a problem that says what would be one: %j', async (body) => {
    const answer = await ask(control.api.port, '/kicks', { method: 'POST', token, body });
    expect(answer).toMatchObject({ status: 422, body: { type: 'urn:usher:problem:bad-body' } });
    expect(answer.body.detail).toContain('192.0.2.7 or 2001:db8::7');
  });

  it('are in its OpenAPI document, what is no JSON too', async () => {
    const { body } = await ask(control.api.port, '/openapi.json', { token: '' });
    const paths = body.paths as Record<string, Record<string, { responses: Record<string, object> }>>;
    expect(Object.keys(paths['/api/v1/webhooks/{name}/send-again'] ?? {})).toEqual(['post']);
    expect(paths['/api/v1/outages/{id}/csv']?.['get']?.responses['200']).toMatchObject({
      content: { 'text/csv': { example: expect.stringContaining('on trust') } },
    });
  });

  it('have examples as their schemas say', () => {
    const seen: string[] = [];
    for (const [name, handler] of handlers) {
      const facts = typeof handler === 'function' ? findEndpoint(handler) : undefined;
      if (facts === undefined) continue;
      seen.push(name);
      expect([name, facts.answer.safeParse(facts.example).error]).toEqual([name, undefined]);
      if (facts.body === undefined) continue;
      expect([name, facts.body.safeParse(facts.bodyExample).error]).toEqual([name, undefined]);
    }
    expect(seen).toContain('CutsController.list');
  });
});
