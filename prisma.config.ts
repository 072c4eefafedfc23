import { defineConfig } from 'prisma/config';

// Only the Prisma CLI reads this file (`prisma generate`, `prisma migrate deploy`); the running product applies the
// same migrations itself, see libs/database/src/migrate.ts.
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
