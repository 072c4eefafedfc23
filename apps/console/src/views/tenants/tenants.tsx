import { Route, Routes } from 'react-router';
import { TenantList } from './tenant-list';
import { TenantPage } from './tenant-page';

export default function Tenants() {
  return (
    <Routes>
      <Route index element={<TenantList />} />
      <Route path=":id/:tab?" element={<TenantPage />} />
    </Routes>
  );
}
