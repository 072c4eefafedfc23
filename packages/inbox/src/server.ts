// `@carillon/inbox` for Node: frameworks import their components on the server too, where there are no elements to
// define.
export {};
