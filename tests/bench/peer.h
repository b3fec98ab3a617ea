/* ./dev bench --peer PATH: the same work done by Parta and by a peer, one after the other on this machine, and how they
 * compare. PATH is a virtual environment of Python in which Synapse is installed (pip install matrix-synapse), or
 * another partad, an older one say. */
#ifndef PARTA_BENCH_PEER_H
#define PARTA_BENCH_PEER_H

/* Prints a line a figure: Parta's, the peer's, and how many times the peer's it is. */
void bench_peer(const char *partad, const char *peer);

#endif
