simsanMain()
