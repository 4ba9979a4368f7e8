// Package simgraph is a false server of Instagram's publishing API, for trying the graph publisher out: accounts with tokens, containers that
// are uploaded, processed and published, a list of media, limits, and every way to fail that was seen.
//
// It was written from the API's description and from what others saw, and not from our client: it passes or fails that client. It protects
// nobody: what is published twice is published twice, and stands in its ledger of what the world sees. It imports nothing of the project.
package simgraph
