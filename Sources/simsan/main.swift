print("simsan")
