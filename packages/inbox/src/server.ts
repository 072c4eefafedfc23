// What Node gets for `@carillon/inbox`: frameworks import their components on the server too, where there are no
// elements to define.
export {};
