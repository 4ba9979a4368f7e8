// Package graph is the publisher that posts through Instagram's official API: a container is made and filled, and once it is finished it is
// published, which is the one step that must not be taken twice.
//
// It knows the API's calls, its errors as evidence, and how to find out whether a container was published. Containers are kept in the
// ledger, so that another process goes on with the same one. Where tokens lie is vault's, what an error means for the job fault's, and
// what videos the platform takes video's. It tries nothing again but what can be asked again without harm, within seconds.
package graph
