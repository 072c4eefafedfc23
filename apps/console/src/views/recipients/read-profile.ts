import type { UseQueryResult } from '@tanstack/react-query';
import { CarillonError, type RecipientsGetResponse } from '#client';
import { useRead } from '../../api/view-context';

/** Null if no profile is stored: in-app messages and preferences need none. */
export function useProfile(id: string): UseQueryResult<RecipientsGetResponse | null> {
  return useRead(['recipients', 'profile', id], (carillon, signal) =>
    carillon.recipients.get({ path: { id }, signal }).catch((error: unknown) => {
      if (error instanceof CarillonError && error.code === 'not_found') return null;
      throw error;
    }),
  );
}
