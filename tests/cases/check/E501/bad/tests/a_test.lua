local ann = = 1
