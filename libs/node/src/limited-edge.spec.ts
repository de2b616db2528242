import { configSchema } from '#usher/config';
import { limitedEdge } from './limited-edge.js';

const config = configSchema.parse({
  limits: { zapGrace: '40s' },
  edges: {
    listed: { control: { url: 'http://a:8000' }, sessionTimeout: '50s', listInterval: '20s' },
    called: { control: { type: 'http', url: 'http://a/cut/{session}' } },
    alta: { dialect: 'alta' },
    patient: { dialect: 'flussonic', ttl: '15m' },
  },
});
const wayOf = (edge: string, habit: 'once' | 'again' | 'per-request', asksAgainAfter?: number) =>
  limitedEdge(config, { edge, habit, ...(asksAgainAfter === undefined ? {} : { asksAgainAfter }) });

describe('the sessions of an edge that asks once', () => {
  it('count where its list is read: an edge lists them for its timeout, and two lists may be missed', () => {
    expect(wayOf('listed', 'once')).toEqual({ canCut: true, isSeen: false, grace: 90_000 });
  });

  it('count for nothing where it has no list that we can read, though it may be told to cut', () => {
    expect(wayOf('called', 'once')).toEqual({ canCut: true, isSeen: false, grace: 0 });
    expect(wayOf('alta', 'once')).toEqual({ canCut: false, isSeen: false, grace: 0 });
    expect(wayOf('not-configured', 'once')).toEqual({ canCut: false, isSeen: false, grace: 0 });
  });
});

it('the sessions of an edge that asks for each part count until they are silent for zapGrace', () => {
  expect(wayOf('alta', 'per-request')).toEqual({ canCut: false, isSeen: true, grace: 40_000 });
});

it('the sessions of an edge that asks again count until it should have asked, unless that is too long', () => {
  expect(wayOf('alta', 'again', 180_000).grace).toBe(200_000);
  expect(wayOf('alta', 'again', 5_000).grace).toBe(40_000);
  expect(wayOf('alta', 'again', 36_000_000).grace).toBe(200_000);
  expect(wayOf('patient', 'again', 36_000_000).grace).toBe(0);
  expect(wayOf('patient', 'again', 60_000).grace).toBe(80_000);
});
