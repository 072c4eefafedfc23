// The commands that use a running Carillon, as processes against the real API and a worker.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import {
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from '../test-environment.js';
import { accessTo, type CommandResult, carillon, startCarillon } from './run-carillon.js';

let environment: TestEnvironment;
let tenant: Tenant;
let folder: string;

beforeAll(async () => {
  environment = await startTestEnvironment();
  tenant = await environment.tenant();
  folder = mkdtempSync(join(tmpdir(), 'carillon-cli-'));
  await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com', locale: 'en' });
  await tenant.call('POST', '/api/v1/templates', {
    key: 'welcome',
    channel: 'email',
    content: { subject: 'Welcome, {{name}}', text: 'Hello {{name}}.\nGood to have you.\n' },
  });
});
afterAll(async () => {
  await environment.stop();
  rmSync(folder, { recursive: true, force: true });
});

const own = (): Record<string, string> => accessTo(environment, tenant);
const run = (...args: string[]): Promise<CommandResult> => carillon(args, own());

describe('carillon send', { timeout: 60_000 }, () => {
  it('sends, waits, and prints the notification as text and as JSON', async () => {
    const args = ['send', '-r', 'ann', '-c', 'email', '-t', 'welcome', '-p', '{"name": "Ann"}', '--wait', '20'];
    const sent = await run(...args, '--json');
    expect([sent.code, sent.stderr]).toEqual([0, '']);
    expect(sent.json()).toMatchObject({ status: 'sent', deliveries: [{ channel: 'email', state: 'sent' }] });
    const text = await run(...args);
    expect([text.code, text.stdout]).toEqual([
      0,
      expect.stringMatching(/^notification \S+ is sent\ndelivery +channel +recipient +state\n\S+ +email +ann +sent\n$/),
    ]);
  });

  it('takes a file, or standard input, and options win over it', async () => {
    const file = join(folder, 'send.json');
    writeFileSync(file, JSON.stringify({ recipient_id: 'bob', channel: 'in_app', content: CONTENT.in_app }));
    const sent = await run('send', '--file', file, '--recipient', 'ann', '--wait', '20', '--json');
    expect(sent.json()).toMatchObject({ recipient_id: 'ann', deliveries: [{ channel: 'in_app', state: 'sent' }] });
    const input = readFileSync(file, 'utf8');
    const piped = await carillon(['send', '-f', '-', '--json'], own(), input);
    expect([piped.code, piped.json().recipient_id]).toEqual([0, 'bob']);
    const again = ['send', '-f', file, '--idempotency-key', 'cli-1', '--json'];
    expect((await run(...again)).json().id).toBe((await run(...again)).json().id);
  });

  it('ends with 5 if a delivery was not sent', async () => {
    const body = JSON.stringify(simulated('rejected', 'waits'));
    const sent = await carillon(['send', '-f', '-', '--wait', '20'], own(), body);
    expect([sent.code, sent.stderr]).toEqual([5, expect.stringContaining('ended as failed')]);
  });

  it('shows the detail and each field of a problem, and ends with 3', async () => {
    const args = ['send', '--content', '{"text": 1}', '-c', 'email', '-c', 'fax', '--at', 'tomorrow'];
    const text = await run(...args);
    expect(text.code).toBe(3);
    expect(text.stderr).toMatch(/^Validation failed: .+ \(request \S+\)\n/);
    for (const pointer of ['/channels/1', '/scheduled_at']) expect(text.stderr).toContain(`\n  ${pointer}: `);
    const { code, stdout, error } = await run(...args, '--json');
    expect([code, stdout]).toEqual([3, '']);
    expect(error()).toMatchObject({ code: 'validation_failed', status: 422, exit_code: 3 });
    expect(error().errors.map((one: Json) => one.pointer)).toContain('/scheduled_at');
  });

  it('shows the error of a problem with one error once', async () => {
    const { code, stderr } = await run('send', '-r', 'a', '-c', 'fax', '--content', '{"text": "x"}');
    expect(code).toBe(3);
    expect(stderr).toMatch(/^Validation failed: \/channel: must be one of email, .*, got "fax" \(request \S+\)\n$/);
  });

  it('never prints the credentials, also if they are refused', async () => {
    const apiKey = `${tenant.apiKey.slice(0, -1)}${tenant.apiKey.endsWith('a') ? 'b' : 'a'}`;
    const refused = await carillon(['send', '-r', 'ann', '-c', 'email', '-t', 'welcome'], {
      ...own(),
      CARILLON_API_KEY: apiKey,
    });
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('Missing or invalid credentials')]);
    expect(refused.stdout + refused.stderr).not.toContain(apiKey.slice(17));
  });

  it('reports bad input before a request, and ends with 2', async () => {
    const cases: [string[], RegExp][] = [
      [['send'], /^Nothing to send/],
      [['send', '--payload', '{name}'], /'-p, --payload <json>' argument '\{name\}' is invalid\. It must be JSON/],
      [['send', '--payload', '[1]'], /It must be a JSON object/],
      [['send', '-r', 'a', '--priority', '11'], /It must be a whole number from 1 to 10/],
      [['send', '--file', '/does/not/exist'], /^--file: ENOENT/],
      [['send', '-r', 'a', '--url', 'ftp://x'], /^The address must be a URL like .* got "ftp:\/\/x"/],
      [['sned'], /unknown command 'sned'/],
      [['dlq', 'replay'], /^Give ids, at least one filter, or --all/],
      [['dlq', 'replay', '--all', 'x'], /^Give ids, or filters, or --status, or --stop, not several/],
      [['dlq', 'replay', '--stop', 'x', '--status', 'x'], /^Give ids, or filters, or --status, or --stop, not several/],
      [['dlq', 'list', '--api-key', 'x', '--tenant', 'x'], /^--tenant needs the admin token/],
      [['dlq', 'list', '--api-key', 'x', '--admin-token', 'x'], /^Give --api-key or --admin-token, not both/],
      [['keys', 'create', '--name', 'x'], /required option '--tenant <id>' not specified/],
      [['templates', 'push', '/does/not/exist'], /^There is no folder/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(...args);
      expect([code, stdout, stderr], args.join(' ')).toEqual([2, '', expect.stringMatching(message)]);
      const json = await run(...args, '--json');
      expect([json.code, json.error().exit_code, json.error().code], args.join(' ')).toEqual([2, 2, 'usage']);
    }
    const nowhere = await carillon(['tail'], { CARILLON_HOME: folder });
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringMatching(/^No address: set CARILLON_URL/)]);
    const keyless = await carillon(['tail'], { CARILLON_URL: environment.url });
    expect([keyless.code, keyless.stderr]).toEqual([2, 'No API key: set CARILLON_API_KEY or --api-key.\n']);
  });

  it('says that Carillon is away, and how to repeat the send safely', async () => {
    const away = { ...own(), CARILLON_URL: 'http://127.0.0.1:59999' };
    const args = ['send', '-r', 'ann', '-c', 'email', '-t', 'welcome'];
    const text = await carillon(args, away);
    expect([text.code, text.stderr]).toEqual([
      4,
      expect.stringMatching(
        /cannot be reached at http:\/\/127\.0\.0\.1:59999: ECONNREFUSED.*\nRepeat it with --idempotency-key \S+:/,
      ),
    ]);
    const json = await carillon([...args, '--idempotency-key', 'k1', '--json'], away);
    expect(json.error()).toMatchObject({ code: 'unreachable', exit_code: 4, idempotency_key: 'k1' });
    for (const other of [
      ['tail'],
      ['explain', 'x'],
      ['dlq', 'list'],
      ['keys', 'list', '--tenant', tenant.id],
      ['dlq', 'export'],
    ])
      expect((await carillon([...other, '--json'], away)).code, other.join(' ')).toBe(4);
  });
});

describe('carillon explain', { timeout: 60_000 }, () => {
  it('shows what happened to a delivery or to the deliveries of a notification', async () => {
    const sent = (
      await carillon(['send', '-f', '-', '--wait', '20', '--json'], own(), JSON.stringify(simulated('rejected', 'why')))
    ).json();
    const delivery = sent.deliveries[0].id;
    const one = (await run('explain', delivery, '--json')).json();
    expect(one.deliveries[0]).toMatchObject({ id: delivery, state: 'failed', reason: 'rejected' });
    expect((await run('explain', sent.id, '--json')).json()).toEqual(one);
    const text = await run('explain', sent.id);
    expect(text.stdout).toContain('email to why: failed (rejected)\n');
    expect(text.stdout).toMatch(/\n\S+Z +attempt +attempt 1, rejected/);
    const unknown = await run('explain', tenant.id);
    expect([unknown.code, unknown.stderr]).toEqual([
      3,
      expect.stringContaining('There is no delivery and no notification'),
    ]);
    expect((await run('explain', delivery, '-r', 'ann')).code).toBe(2);
  });

  it('shows what would become of a send, without sending', async () => {
    const before = (await tenant.call('GET', '/api/v1/notifications?limit=1')).body.data[0].id;
    const args = ['explain', '-r', 'ann', '-c', 'email', '-t', 'welcome', '-p', '{"name": "Ann"}'];
    expect((await run(...args, '--json')).json().deliveries[0]).toMatchObject({ channel: 'email', state: 'sent' });
    expect((await run(...args)).stdout).toMatch(/^email to ann: sent\n {2}accounts, in order: sandbox/);
    expect((await tenant.call('GET', '/api/v1/notifications?limit=1')).body.data[0].id).toBe(before);
  });
});

describe('carillon tail', { timeout: 60_000 }, () => {
  it('prints each change of a delivery once, until its time is over', async () => {
    const tail = startCarillon(['tail', '--seconds', '15', '--since', '30', '--channel', 'email'], own());
    const json = startCarillon(['tail', '--seconds', '15', '--json', '--since', '30', '--recipient', 'tailed'], own());
    const sent = await tenant.send({
      ...simulated('slow', 'tailed'),
      scheduled_at: new Date(Date.now() + 3_000).toISOString(),
    });
    await tenant.send(simulated('ok', 'another'));
    const id = sent.deliveries[0].id as string;
    const { code, stdout } = await json.done;
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ delivery_id: id, recipient_id: 'tailed', channel: 'email', state: 'waiting' });
    expect(lines.at(-1)).toMatchObject({ delivery_id: id, state: 'sent' });
    expect(new Set(lines.map(({ state, reason, due_at }) => `${state} ${reason} ${due_at}`)).size).toBe(lines.length);
    const text = (await tail.done).stdout;
    expect(text).toContain(`${id}  email  tailed  waiting (scheduled) until`);
    expect(text).toMatch(/email {2}another {2}(sent|delivered)\n/);
  });
});

describe('carillon templates', { timeout: 60_000 }, () => {
  it('pulls into files and pushes what was changed there', async () => {
    const [one, other] = [join(folder, 'one'), join(folder, 'other')];
    const target = await environment.tenant();
    const dry = await run('templates', 'pull', one, '--dry-run');
    expect(dry.stdout).toContain('+++ welcome/email.en/text.hbs\n+Hello {{name}}.\n+Good to have you.\n');
    expect(() => readdirSync(one)).toThrow('ENOENT');
    expect((await run('templates', 'pull', one, '--json')).json().differences).toHaveLength(1);
    expect((await run('templates', 'pull', one, '--json')).json().differences).toEqual([]);
    expect(readFileSync(join(one, 'welcome/email.en/text.hbs'), 'utf8')).toBe('Hello {{name}}.\nGood to have you.\n');

    const elsewhere = { ...own(), CARILLON_API_KEY: target.apiKey };
    const created = await carillon(['templates', 'push', one, '--json'], elsewhere);
    expect(created.json()).toMatchObject({
      differences: [{ name: 'welcome/email.en', change: 'created' }],
      failures: [],
    });
    await carillon(['templates', 'pull', other], elsewhere);
    expect(readFileSync(join(other, 'welcome/email.en/template.json'), 'utf8')).toBe(
      readFileSync(join(one, 'welcome/email.en/template.json'), 'utf8'),
    );

    writeFileSync(join(one, 'welcome/email.en/text.hbs'), 'Hello {{name}}.\nGood to see you.\n');
    const shown = await run('templates', 'push', one, '--dry-run');
    expect(shown.stdout).toContain(' Hello {{name}}.\n-Good to have you.\n+Good to see you.\n');
    expect((await tenant.call('GET', '/api/v1/templates/welcome')).body.version).toBe(1);
    expect((await run('templates', 'push', one)).code).toBe(0);
    expect((await tenant.call('GET', '/api/v1/templates/welcome')).body).toMatchObject({
      version: 2,
      content: { text: 'Hello {{name}}.\nGood to see you.\n' },
    });
    expect((await run('templates', 'push', one, '--json')).json().differences).toEqual([]);

    writeFileSync(join(one, 'welcome/email.en/text.hbs'), 'Hello {{#if}}.\nx');
    const refused = await run('templates', 'push', one);
    expect([refused.code, refused.stdout]).toEqual([
      5,
      expect.stringMatching(/^Refused: welcome\/email\.en: .*\/content\/text/s),
    ]);
    writeFileSync(join(one, 'welcome/email.en/template.json'), '{');
    expect([(await run('templates', 'push', one)).code]).toEqual([2]);
  });

  it('pushes partials before what includes them', async () => {
    const target = await environment.tenant();
    for (const [key, content, kind] of [
      ['a', { text: '{{> b}}' }, 'partial'],
      ['b', { text: 'B' }, 'partial'],
      ['c', { subject: 'C', text: '{{> a}}' }, 'template'],
    ] as const) {
      const { mkdirSync } = await import('node:fs');
      const place = join(folder, 'parts', key, 'email.en');
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, 'template.json'), JSON.stringify({ kind, content }));
    }
    const pushed = await carillon(['templates', 'push', join(folder, 'parts'), '--json'], {
      ...own(),
      CARILLON_API_KEY: target.apiKey,
    });
    expect(pushed.json()).toMatchObject({ failures: [], differences: [{}, {}, {}] });
  });
});

describe('carillon keys', { timeout: 60_000 }, () => {
  it('creates a key that works, prints it once, rotates and lists it', async () => {
    const made = await run(
      'keys',
      'create',
      '--tenant',
      tenant.id,
      '--name',
      'CLI',
      '--mode',
      'test',
      '--scopes',
      'notifications:read',
    );
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^car_test_[0-9A-Za-z]{44}\n$/)]);
    const apiKey = made.stdout.trim();
    expect(made.stderr).not.toContain(apiKey);
    const list = await run('keys', 'list', '--tenant', tenant.id, '--json');
    const key = list.json().data.find((one: Json) => one.name === 'CLI');
    expect(key).toMatchObject({ mode: 'test', scopes: ['notifications:read'] });
    const rotated = await run('keys', 'rotate', key.id, '--tenant', tenant.id, '--overlap-seconds', '0', '--json');
    expect(rotated.json()).toMatchObject({ name: 'CLI', api_key: expect.stringMatching(/^car_test_/) });
    const text = await run('keys', 'list', '--tenant', tenant.id);
    for (const secret of [apiKey, rotated.json().api_key]) {
      expect(text.stdout + list.stdout).not.toContain(secret.slice(17));
    }
    const ask = (one: string) => environment.call('GET', '/api/v1/notifications', { headers: { 'X-API-Key': one } });
    expect((await ask(rotated.json().api_key)).status).toBe(200);
    await until('the old key has ended', async () => (await ask(apiKey)).status === 401);
    const unknown = await run('keys', 'create', '--tenant', tenant.id, '--name', 'x', '--scopes', 'everything');
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('/scopes/0: ')]);
  });

  it('names the option or argument that is no id', async () => {
    for (const command of [['create', '--name', 'x'], ['list']]) {
      const { code, stderr } = await run('keys', ...command, '--tenant', 'nope');
      expect([code, stderr]).toEqual([2, '--tenant must be a UUID, got "nope".\n']);
    }
    const rotated = await run('keys', 'rotate', 'nope', '--tenant', tenant.id);
    expect([rotated.code, rotated.stderr]).toEqual([2, '<key-id> must be a UUID, got "nope".\n']);
  });

  it('shows nothing that controls the terminal', async () => {
    const name = 'red \u001b[31m';
    await environment.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name });
    const listed = await run('keys', 'list', '--tenant', tenant.id);
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining('red \ufffd[31m')]);
    expect(listed.stdout).not.toContain('\u001b');
  });
});
