import { silentLog, type SessionName } from '#usher/domain';
import { closingNews } from './closing-news.js';

const name = (sessionId: string): SessionName => ({ edge: 'astra-1', sessionId });

interface Observer {
  complete(): void;
  error(error: unknown): void;
}

/** What becomes of each telling: it is out, by default. */
function world(subscribe = (observer: Observer): void => observer.complete()) {
  const told: unknown[][] = [];
  const bus = {
    emit: (_pattern: string, data: unknown[]) => {
      told.push(data);
      return { subscribe };
    },
    events: {},
  };
  return { told, news: closingNews(bus as never, silentLog) };
}

describe('the news that sessions ended', () => {
  it('is told at once when the process ends, what waits and what is on its way, and once', async () => {
    const { told, news } = world();
    news.note([name('1'), name('2')], 'ended');
    news.note([name('3')], 'idle');
    expect(told).toEqual([]);
    await news.flush();
    expect(told).toEqual([
      [
        ['astra-1', '1'],
        ['astra-1', '2'],
        ['astra-1', '3', 'idle'],
      ],
    ]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await news.flush();
    expect(told).toHaveLength(1);
  });

  it('is told in parts where it is long', async () => {
    const { told, news } = world();
    news.note(
      Array.from({ length: 1_001 }, (_, i) => name(String(i))),
      'ended',
    );
    await news.flush();
    expect(told.map((part) => part.length)).toEqual([500, 500, 1]);
  });

  it('that cannot be told ends the process all the same', async () => {
    const { told, news } = world((observer) => observer.error(new Error('Redis is away')));
    news.note([name('1')], 'ended');
    await news.flush();
    expect(told).toHaveLength(1);
  });

  it('is waited for until it is out', async () => {
    const { news } = world(() => undefined);
    news.note([name('1')], 'ended');
    const ended = news.flush().then(() => 'ended');
    expect(await Promise.race([ended, Promise.resolve('waiting')])).toBe('waiting');
  });
});
