// The inbox of one recipient in Node, over connections that break, and in Chromium.

import { Inbox, type InboxItem, type InboxStream, type StreamState } from '@carillon/client/inbox';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy, until } from '../../../libs/testing/src/index.js';
import { startTestEnvironment, type Tenant, type TestEnvironment } from '../../../test/test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
let proxy: TcpProxy;
const streams: InboxStream[] = [];
/** The frames of a stream to which nothing happens. */
const quietFrames: string[] = [];
let quiet: WebSocket;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant({ recipient_limits: { in_app: { limit: 100_000, window_seconds: 60 } } });
  proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(app.url).port) });
  quiet = new WebSocket(`${app.url.replace('http', 'ws')}/api/v1/inbox/stream`, [
    'carillon.v1',
    await tokenOf('quiet'),
  ]);
  quiet.onmessage = ({ data }) => quietFrames.push(JSON.parse(String(data)).type);
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});
afterAll(async () => {
  quiet?.close();
  await proxy?.close();
  await app?.stop();
});

const tokenOf = async (recipientId: string, body: Record<string, unknown> = {}): Promise<string> =>
  (await tenant.call('POST', `/api/v1/recipients/${recipientId}/inbox-token`, body)).body.token;

async function sendTo(recipientId: string, titles: string[]): Promise<void> {
  for (const title of titles)
    await tenant.send({ recipient_id: recipientId, channel: 'in_app', content: { title, body: 'x' } });
}

interface Watched {
  inbox: Inbox;
  stream: InboxStream;
  items: InboxItem[];
  states: StreamState[];
  errors: unknown[];
  resets: number;
}

function watch(
  recipientId: string,
  since?: number,
  token: () => Promise<string> = () => tokenOf(recipientId),
  silenceMs = 60_000,
): Watched {
  const inbox = new Inbox({ url: `http://127.0.0.1:${proxy.port}`, token, silenceMs });
  const watched: Omit<Watched, 'stream'> = { inbox, items: [], states: [], errors: [], resets: 0 };
  const stream = inbox.stream(
    {
      onItem: (item) => watched.items.push(item),
      onState: (state, error) => {
        watched.states.push(state);
        if (error !== undefined) watched.errors.push(error);
      },
      onReset: () => {
        watched.resets += 1;
      },
    },
    since,
  );
  streams.push(stream);
  return Object.assign(watched, { stream });
}

const isLive = ({ states }: Watched): boolean => states.at(-1) === 'live';

describe('an inbox', () => {
  it('lists, counts and marks', async () => {
    await sendTo('ann', ['one', 'two', 'three']);
    const inbox = new Inbox({ url: app.url, token: await tokenOf('ann') });
    await until('all are there', async () => (await inbox.counts()).total === 3);
    const first = await inbox.list({ limit: 2 });
    expect(first.data.map(({ title }) => title)).toEqual(['three', 'two']);
    const rest = await inbox.list({ limit: 2, cursor: first.next_cursor! });
    expect(rest).toMatchObject({ data: [{ title: 'one' }], next_cursor: null });
    const [id] = rest.data.map((item) => item.id) as [string];
    await inbox.markSeen(id);
    expect(await inbox.counts()).toEqual({ total: 3, unread: 3, unseen: 2 });
    await inbox.markRead(id);
    expect(await inbox.counts()).toEqual({ total: 3, unread: 2, unseen: 2 });
    await inbox.markUnread(id);
    await inbox.archive(id);
    expect((await inbox.list({ archived: 'true' })).data).toMatchObject([{ id }]);
    await inbox.unarchive(id);
    await inbox.markAllSeen();
    await inbox.markAllRead();
    expect(await inbox.counts()).toEqual({ total: 3, unread: 0, unseen: 0 });
    await expect(inbox.markRead('nothing')).rejects.toMatchObject({ name: 'CarillonError', code: 'validation_failed' });
  });

  it('gets a new token when the server rejects the old one', async () => {
    await sendTo('bob', ['one']);
    const tokens = ['expired', await tokenOf('bob')];
    const inbox = new Inbox({ url: app.url, token: () => tokens.shift()! });
    expect((await inbox.counts()).total).toBeLessThan(2);
    expect(tokens).toEqual([]);
    const wrong = new Inbox({ url: app.url, token: 'expired' });
    await expect(wrong.counts()).rejects.toMatchObject({ code: 'unauthenticated', status: 401 });
  });
});

describe('a stream', () => {
  it('gives every item once and in order, although its connections are killed again and again', async () => {
    const watched = watch('storm', 0);
    await until('it is live', () => isLive(watched));
    const titles: string[] = [];
    for (let kill = 0; kill < 4; kill += 1) {
      const more = Array.from({ length: 15 }, (_, index) => `item ${kill * 15 + index}`);
      titles.push(...more);
      const before = watched.items.length;
      const sending = sendTo('storm', more);
      await until('more items have come', () => watched.items.length > before, 20_000);
      proxy.reset();
      proxy.pass();
      await sending;
    }
    await until('all items have come', () => watched.items.length >= titles.length, 20_000);
    expect(watched.items.map(({ title }) => title)).toEqual(titles);
    expect(watched.items.map(({ seq }) => seq)).toEqual(titles.map((_, index) => index + 1));
    expect(watched.states.filter((state) => state === 'live').length).toBeGreaterThan(3);
    expect(watched.stream.lastSeq).toBe(60);
  }, 60_000);

  it('begins with new items without `since`, and misses none that come while it reconnects', async () => {
    await sendTo('late', ['before']);
    const inbox = new Inbox({ url: app.url, token: await tokenOf('late') });
    await until('it is there', async () => (await inbox.counts()).total === 1);
    const watched = watch('late');
    await until('it is live', () => isLive(watched));
    proxy.reset();
    await sendTo('late', ['during']);
    await until('it has noticed', () => watched.states.includes('waiting'));
    proxy.pass();
    await until('it has caught up', () => watched.items.length > 0, 20_000);
    expect(watched.items.map(({ title }) => title)).toEqual(['during']);
  }, 40_000);

  it('continues with a new token when its token is revoked', async () => {
    let tokens = 0;
    const watched = watch('renewed', 0, () => {
      tokens += 1;
      return tokenOf('renewed');
    });
    await until('it is live', () => isLive(watched));
    await tenant.call('POST', '/api/v1/recipients/renewed/inbox-token/revoke', {});
    await until('it has a second token', () => tokens > 1 && isLive(watched), 20_000);
    await sendTo('renewed', ['after']);
    await until('it is live again', () => watched.items.length === 1);
    expect(watched.errors).toEqual([]);
  }, 40_000);

  it('goes on when the function answers with something that is no token, or fails', async () => {
    const answers = ['<!doctype html>\n<title>502</title>', '', new TypeError('Failed to fetch')];
    const watched = watch('ivy', undefined, async () => {
      const answer = answers.shift() ?? `${await tokenOf('ivy')}\n`;
      if (answer instanceof Error) throw answer;
      return answer;
    });
    await until('the stream is live', () => isLive(watched));
    await sendTo('ivy', ['one']);
    await until('the item is there', () => watched.items.length === 1);
    expect(watched.errors).toEqual([]);
  });

  it('begins with 1 again after the recipient was erased', async () => {
    await sendTo('erased', ['one', 'two']);
    const watched = watch('erased', 0);
    await until('both are there', () => watched.items.length === 2);
    await tenant.call('DELETE', '/api/v1/recipients/erased');
    await until('the inbox was emptied', () => watched.resets === 1 && isLive(watched), 20_000);
    await sendTo('erased', ['new']);
    await until('the new item is there', () => watched.items.length === 3);
    expect(watched.items[2]).toMatchObject({ seq: 1, title: 'new' });
  }, 40_000);

  it('begins with 1 again also if it connects again before the items are erased', async () => {
    await tenant.call('PUT', '/api/v1/recipients/quick', {});
    await sendTo('quick', ['one', 'two']);
    const watched = watch('quick', 0);
    await until('both are there', () => watched.items.length === 2);
    // The erasure waits for this change of the recipient.
    await app.sql.query('begin');
    await app.sql.query(`update recipients set locale = 'de' where tenant_id = $1 and id = 'quick'`, [tenant.id]);
    const erased = tenant.call('DELETE', '/api/v1/recipients/quick');
    const lives = () => watched.states.filter((state) => state === 'live').length;
    await until('it is live again', () => lives() === 2).finally(() => app.sql.query('commit'));
    expect((await erased).status).toBe(200);
    await until('the inbox was emptied', () => watched.resets === 1 && isLive(watched), 20_000);
    await sendTo('quick', ['new']);
    await until('the new item is there', () => watched.items.length === 3);
    expect(watched.items[2]).toMatchObject({ seq: 1, title: 'new' });
  }, 40_000);

  it('closes with the reason when its token is rejected and there is no other one', async () => {
    const states: StreamState[] = [];
    const errors: unknown[] = [];
    const stream = new Inbox({ url: app.url, token: 'nonsense' }).stream({
      onState: (state, error) => {
        states.push(state);
        if (error !== undefined) errors.push(error);
      },
    });
    streams.push(stream);
    await until('it is closed', () => states.includes('closed'));
    expect(errors).toMatchObject([{ name: 'CarillonError', code: 'unauthenticated', status: 401 }]);
  });

  it('shows what other tabs change, and the counts', async () => {
    await sendTo('tabs', ['one']);
    const changes: unknown[] = [];
    const counts: unknown[] = [];
    const items: InboxItem[] = [];
    const inbox = new Inbox({ url: app.url, token: await tokenOf('tabs') });
    streams.push(
      inbox.stream(
        {
          onItem: (item) => items.push(item),
          onChange: (change) => changes.push(change),
          onCounts: (now) => counts.push(now),
        },
        0,
      ),
    );
    const { id } = await until('it is there', () => items[0]);
    await inbox.markRead(id);
    await until('the change has come', () => changes.length > 0);
    expect(changes[0]).toMatchObject({ id, seq: 1, read_at: expect.any(String) });
    await until('the counts have come', () => JSON.stringify(counts.at(-1)) === '{"total":1,"unread":0,"unseen":0}');
  });

  it('connects again after a silence, as of a connection that has died without a close event', async () => {
    const watched = watch('mute', undefined, () => tokenOf('mute'), 1_000);
    await until('it is live', () => isLive(watched));
    proxy.blackhole();
    await sendTo('mute', ['unheard']);
    await until('it gives the connection up', () => watched.states.includes('waiting'));
    proxy.reset();
    proxy.pass();
    await until('the item is here', () => watched.items.length === 1, 20_000);
    expect(watched.items.map(({ title }) => title)).toEqual(['unheard']);
  }, 30_000);

  it('gets a heartbeat from the server while nothing happens', async () => {
    await until('there is one', () => quietFrames.includes('heartbeat'), 27_000);
    // There are two if the tests before it took longer than the time between them.
    expect([quietFrames[0], ...new Set(quietFrames.slice(1))]).toEqual(['ready', 'heartbeat']);
  }, 30_000);
});
