import { Route, Routes } from 'react-router';
import { DeliveryPage } from './delivery-page';
import { DeliverySearch } from './delivery-search';

export default function Deliveries() {
  return (
    <Routes>
      <Route index element={<DeliverySearch />} />
      <Route path=":id" element={<DeliveryPage />} />
    </Routes>
  );
}
