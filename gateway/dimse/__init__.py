"""The DICOM network, on pynetdicom: the receiver (C-STORE and C-ECHO SCP) and the sender (SCU)."""
