"""Transcoding. One file to one file, in processes of its own: start reading at transcode.py.

source, image, frames, coded, codestreams     what is there
planning, profiles                            what to do about it, or why not (pure)
pieces: samples, table, families, quality     frame by frame: decode, encode, prove
recode, repack, deflate                       three ways to a new file
headers, derivation, overlays, nested         the data set around the pixels (pure)
spool, pixel_writer, target, verify           the file: written, synced, read back

worker.py is a codec process, and answers.py what it does when it is asked; parts.py is for several
of them, limits.py holds them. process.py, processes.py and spreading.py are what the gateway's own
process has of it: no pixel, and no C code over received bytes.
"""
