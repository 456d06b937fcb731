def test_the_world_is_greeted(worker):
    assert worker.get("/").json() == {"message": "Hello, world!"}


def test_a_person_is_greeted_by_name(worker):
    assert worker.get("/", params={"name": "Ada"}).json() == {"message": "Hello, Ada!"}
