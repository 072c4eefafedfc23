import { describe, expect, it } from 'vitest';
import { derivedLogins } from './logins.js';

const loginsOf = (url: string): string[] => Object.values(derivedLogins(url)).map(({ name }) => name);

describe('the logins of a database', () => {
  it('are named after it, because roles belong to the server', () => {
    expect(loginsOf('postgresql://owner:secret@db:5432/shop')).toEqual(['shop_tenant_login', 'shop_platform_login']);
  });

  it('have names that PostgreSQL does not cut or reject', () => {
    const long = 'ä'.repeat(30);
    for (const database of [long, `${long}x`, 'pg_shop', 'x'.repeat(63)]) {
      const names = loginsOf(`postgresql://owner:secret@db/${encodeURIComponent(database)}`);
      for (const name of names) {
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
        expect(name).toMatch(/^carillon_[0-9a-f]{32}_(tenant|platform)_login$/);
      }
    }
    expect(loginsOf(`postgresql://db/${long}`)).not.toEqual(loginsOf(`postgresql://db/${long}x`));
  });

  it('have passwords of their own, which depend on the password and the name of the database only', () => {
    const { tenant, platform } = derivedLogins('postgresql://owner:secret@db:5432/shop?sslmode=require');
    expect(new Set([tenant.password, platform.password, 'secret']).size).toBe(3);
    expect(derivedLogins('postgresql://other:secret@proxy:6432/shop').tenant.password).toBe(tenant.password);
    expect(derivedLogins('postgresql://owner:secret@db/shop2').tenant.password).not.toBe(tenant.password);
    expect(derivedLogins('postgresql://owner:secre@db/shop').tenant.password).not.toBe(tenant.password);
    const { searchParams, password, host } = new URL(tenant.url);
    expect(Object.fromEntries(searchParams)).toEqual({
      sslmode: 'require',
      user: 'shop_tenant_login',
      password: tenant.password,
    });
    expect([password, host]).toEqual(['', 'db:5432']);
  });

  it('have no password if the owner has none, and take one from the query of the URL', () => {
    expect(derivedLogins('postgresql://owner@db/shop').tenant.password).toBeNull();
    const { platform } = derivedLogins('postgresql:///shop?host=/run/postgresql&user=owner&password=secret');
    expect(platform.password).toBe(derivedLogins('postgresql://owner:secret@db/shop').platform.password);
    expect(new URL(platform.url).searchParams.get('user')).toBe('shop_platform_login');
  });
});
