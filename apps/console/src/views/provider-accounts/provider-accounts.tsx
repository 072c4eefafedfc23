import { Route, Routes } from 'react-router';
import { AccountList } from './account-list';
import { AccountPage } from './account-page';
import { NewAccount } from './new-account';

export default function ProviderAccounts() {
  return (
    <Routes>
      <Route index element={<AccountList />} />
      <Route path="new" element={<NewAccount />} />
      <Route path=":accountId" element={<AccountPage />} />
    </Routes>
  );
}
