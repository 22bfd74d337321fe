"""The command `segrun`: pictures, folders, videos, cameras and streams through a segmenter, with sound and times kept."""
