"""Transcoding. One file to one file, in processes of its own: start reading at transcode.py.

source -> image, frames, codestreams -> planning -> table (decode, encode) -> headers, pixel_writer
-> verify. worker.py runs that in a codec process; processes.py is what the gateway holds of it, and
the only module that the gateway's own process imports: it never touches pixels.
"""
