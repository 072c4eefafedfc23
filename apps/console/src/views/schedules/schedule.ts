import type { SchedulesGetResponse } from '#client';

export type Schedule = SchedulesGetResponse;
